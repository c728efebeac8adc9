from __future__ import annotations

from airflow_provider_veo.api.chat.events import Failure, LeftOut, Note, Progress
from airflow_provider_veo.api.chat.limits import MOST_COUNTED
from airflow_provider_veo.api.errors import Reason
from airflow_provider_veo.orders.chat import MOST_LINES, Journal


def test_a_server_that_talks_without_end_fills_no_log():
    lines = []
    journal = Journal(lines.append)
    news = sum(journal.enter(Progress(number % 100)) for number in range(3 * MOST_LINES))
    assert news == len(lines) == MOST_LINES
    assert lines[-1] == "The server says more; no more of it is written down"


def test_what_is_left_out_is_told():
    lines = []
    journal = Journal(lines.append)
    journal.enter(LeftOut("addresses beyond the 1 video that was ordered", 3))
    journal.enter(LeftOut("addresses beyond the 1 video that was ordered", MOST_COUNTED))
    assert lines == [
        "Left out: 3 addresses beyond the 1 video that was ordered",
        "Left out: 1000 or more addresses beyond the 1 video that was ordered",
    ]


def test_the_most_telling_failure_is_kept():
    journal = Journal(lambda _line: None)
    journal.enter(Note("the last words"))
    assert journal.failure == Failure("the last words", Reason.UNKNOWN)
    for failure in (first := Failure("a", Reason.UNKNOWN), second := Failure("b", Reason.UNKNOWN)):
        journal.enter(failure)
        assert journal.failure == failure
    telling = Failure("c", Reason.QUOTA)
    for failure in (telling, first, second, Failure("d", Reason.MODERATION)):
        journal.enter(failure)
    assert journal.failure == telling
