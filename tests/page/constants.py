"""Names and texts that the Dags of this suite and its tests share."""

from __future__ import annotations

from airflow_provider_veo.version_compat import AIRFLOW_V_3_3_PLUS, AIRFLOW_V_3_4_PLUS

SHOWS_PROGRESS = AIRFLOW_V_3_3_PLUS
"""Since Airflow 3.3, a trigger can report progress. Before, the progress bar shows only that the job runs."""

RUNS = ("clips", "late_download", "chat", "refused", "nasty", "nasty_model", "secret", "slow")
MORE_RUNS = ("own", "tries", *(["looped"] if AIRFLOW_V_3_4_PLUS else []))
FAILING = ("refused", "nasty_model")
LONG_ERROR = "<b>The server</b> said " + "E" * 9_900
UNCOLLECTED_ERROR = "The storage is full. A retry collects video_7."
KEY = "sk-canary-58f3a0"

TIMEOUT = 300.0
"""Seconds that a test waits for the browser or for Airflow."""
