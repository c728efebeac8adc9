"""The access tokens of the emulator."""

from __future__ import annotations

from airflow_provider_veo.emulator.jobs import Jobs, Settings
from airflow_provider_veo.emulator.tokens import Tokens


def test_a_token_is_valid_for_its_time():
    jobs = Jobs(Settings(token_seconds=60.0), clock=lambda: now)
    tokens = Tokens(jobs)
    now = 1000.0
    given = tokens.give()
    assert (given["expires_in"], given["token_type"], tokens.given) == (60, "Bearer", 1)
    now += 59
    assert tokens.takes(given["access_token"])
    now += 1
    assert not tokens.takes(given["access_token"])


def test_tokens_expire_on_command():
    tokens = Tokens(Jobs(Settings()))
    first = tokens.give()["access_token"]
    tokens.expire()
    second = tokens.give()["access_token"]
    assert [tokens.takes(token) for token in (first, second, "", "other")] == [False, True, False, False]
