"""The jobs of the emulator."""

from __future__ import annotations

from airflow_provider_veo.api.backends.profiles import VEO_GATEWAY
from airflow_provider_veo.emulator.jobs import Jobs, Settings
from airflow_provider_veo.emulator.messages import AcceptedOrder

MODEL = VEO_GATEWAY.models["veo-3.1-fast"]


def test_equal_orders_make_different_videos_in_turn():
    jobs = Jobs(Settings())
    takes = [jobs.order(str(number), AcceptedOrder("a", MODEL)).take for number in range(4)]
    assert takes == [0, 1, 2, 0]
    assert jobs.order("other", AcceptedOrder("b", MODEL)).take == 0
