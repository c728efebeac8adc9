"""A pytest plugin for tests of your own Dags: the video API, offline and for free, behind your Airflow connection.

It is loaded by pytest wherever this package is installed, and needs the extra `emulator` when a test asks for it:

    def test_my_dag(veo_emulator):
        veo_emulator.fail_next("Content policy violation")
        ...  # run the Dag, for example by `dag.test()`
        assert veo_emulator.charged_usd == 0

Nothing of Airflow is imported here: the fixtures only set environment variables, which Airflow reads when it runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_veo.emulator.faults import Call, Trouble
    from airflow_provider_veo.emulator.jobs import Job, Settings
    from airflow_provider_veo.emulator.server import EmulatorServer

__all__ = ["VeoEmulator", "veo_emulator", "veo_emulator_settings"]

_POLL_INTERVAL = "0.1"  # seconds; a test has no time to wait


@pytest.fixture
def veo_emulator_settings() -> Settings:
    """How the emulator behaves; override this fixture for another dialect, key or generation time (0.5 s)."""
    try:
        from airflow_provider_veo.emulator.jobs import Settings  # noqa: PLC0415 - only who asks pays for it
        from airflow_provider_veo.emulator.server import EmulatorServer  # noqa: F401, PLC0415 - needs the extra
    except ImportError as error:
        raise ImportError(f"{error}. Install the extra: pip install 'airflow-provider-veo[emulator]'") from error
    return Settings(generation_seconds=0.5)


@pytest.fixture
def veo_emulator(
    veo_emulator_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[VeoEmulator]:
    """Run the emulator for one test, as the connection `veo_default`, asked every 0.1 s.

    `[veo] storage` is a folder of this test, so that nothing is written where real videos are.
    """
    from airflow_provider_veo.emulator.server import EmulatorServer  # noqa: PLC0415 - as above

    storage = tmp_path / "veo_videos"
    with EmulatorServer(veo_emulator_settings) as server:
        emulator = VeoEmulator(server, monkeypatch, storage)
        emulator.connect("veo_default")
        monkeypatch.setenv("AIRFLOW__VEO__POLL_INTERVAL", _POLL_INTERVAL)
        monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(storage))
        yield emulator


class VeoEmulator:
    """The emulator in the hands of a test.

    Attributes:
        url: base URL of the API.
        api_key: that it takes.
        storage: folder of relative destinations.
    """

    def __init__(self, server: EmulatorServer, monkeypatch: pytest.MonkeyPatch, storage: Path) -> None:
        self._jobs = server.jobs
        self._faults = server.faults
        self._monkeypatch = monkeypatch
        self.url = server.url
        self.api_key = server.settings.api_key
        self.storage = storage

    def connect(self, conn_id: str, **extra: Any) -> None:
        """Make another Airflow connection lead here, too.

        Args:
            conn_id: of the connection.
            extra: its extra fields, for example `default_model="veo-3.1"`.
        """
        connection = {"conn_type": "veo", "host": self.url, "password": self.api_key, "extra": extra}
        self._monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    def fail_next(
        self, reason: str = "Content policy violation", code: str = "task_failed", *, prompt: str = ""
    ) -> None:
        """Let the next video that is ordered fail. Several calls queue up.

        Args:
            reason: the server's words. What they mean to the tasks is decided as with a real server: words about
                policy or moderation are permanent, "internal error" is retried.
            code: the machine's word for it, in dialects that have one.
            prompt: words in the prompt of the video that is meant; by default it is the next, whatever its prompt.
        """
        self._jobs.fail_next(reason, code, prompt)

    def answer_next(self, call: Call, *troubles: Trouble | str, retry_after: float = 1.0) -> None:
        """Let the next answers of a kind go wrong, in this order.

        Args:
            call: `order`, `status` or `content`.
            troubles: a `Trouble` or its name: `rate_limit` (429), `no_money`, `error` (500), `bad_gateway`,
                `broken_json`, `dropped`, `slow`, `cut`, `gone` (410).
            retry_after: seconds; of a rate limit's header, and of an answer that is slow.

        Raises:
            ValueError: there is no such call or trouble.
        """
        from airflow_provider_veo.emulator.faults import CALLS, Fault, Trouble  # noqa: PLC0415 - as above

        if call not in CALLS:
            raise ValueError(f"There is no call {call!r}; there are: {', '.join(CALLS)}.")
        kinds = {kind.name.lower(): kind for kind in Trouble}
        for trouble in troubles:
            kind = trouble if isinstance(trouble, Trouble) else kinds.get(trouble)
            if kind is None:
                raise ValueError(f"There is no trouble {trouble!r}; there are: {', '.join(kinds)}.")
            self._faults.add(call, Fault(kind, seconds=retry_after))

    def hold(self) -> None:
        """Stop the time at the server: jobs stay where they are until `set_progress` or `release`."""
        self._jobs.hold()

    def set_progress(self, percent: float, video_id: str | None = None) -> None:
        """Move jobs that are not finished; 100 finishes them. Time stops, see `hold`.

        Args:
            percent: 0 to 100.
            video_id: which job; all of them by default.
        """
        self._jobs.set_progress(percent, video_id)

    def release(self) -> None:
        """Let the time go on."""
        self._jobs.release()

    @property
    def orders(self) -> list[Job]:
        """All jobs that were ordered, the first one first: `id`, `prompt`, `model`, `frames` ..."""
        return self._jobs.all()[::-1]

    @property
    def charged(self) -> int:
        """How many videos the gateway would have charged by now: those that are finished, and all of chat calls."""
        return len(self._jobs.charged()) + self._jobs.counters.chat_videos

    @property
    def charged_usd(self) -> float:
        """What they would have cost, in US dollars."""
        return self._jobs.report()["charged_usd"]
