"""An offline stand-in for video APIs, with real HTTP and real MP4 files, free of charge.

Start it by `python -m airflow_provider_veo.emulator`, or in Python by `EmulatorServer`. It needs the extra `emulator`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_veo.utils.exports import import_on_use

if TYPE_CHECKING:
    from airflow_provider_veo.emulator.faults import Trouble
    from airflow_provider_veo.emulator.jobs import Job, Settings
    from airflow_provider_veo.emulator.server import EmulatorServer

__all__ = ["EmulatorServer", "Job", "Settings", "Trouble"]

__getattr__ = import_on_use(
    __name__,
    {
        "EmulatorServer": "airflow_provider_veo.emulator.server",
        "Job": "airflow_provider_veo.emulator.jobs",
        "Settings": "airflow_provider_veo.emulator.jobs",
        "Trouble": "airflow_provider_veo.emulator.faults",
    },
)
