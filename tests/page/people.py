"""What the tests of the page know of their Airflow, and how they wait for it."""

from __future__ import annotations

import time

from airflow_provider_veo.version_compat import AIRFLOW_V_3_3_PLUS

TELLS_PROGRESS = AIRFLOW_V_3_3_PLUS
"""Since Airflow 3.3 a trigger can say how far it is; before, a bar just shows that something is going on."""

RUNS = ("films", "late_download", "chat", "refused", "nasty", "nasty_model", "secret", "slow")
FAILING = ("refused", "nasty_model")
LONG_ERROR = "<b>The server</b> said " + "E" * 9_900
KEY = "sk-canary-58f3a0"


def until(what, condition, timeout=300):
    give_up_at = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < give_up_at, f"waited {timeout} s for {what}"
        time.sleep(0.3)
    return value
