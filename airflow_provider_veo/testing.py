"""A pytest plugin for tests of your own Dags: a video API behind your Airflow connection, offline and free of charge.

Pytest loads it in every environment with this package. A test that uses it needs the extra `emulator`:

    def test_my_dag(veo_emulator):
        veo_emulator.fail_next("Content policy violation")
        ...  # run the Dag, for example by `dag.test()`
        assert veo_emulator.charged_usd == 0

The connection is of the backend that the dialect belongs to. To test with another one:

    @pytest.mark.parametrize("veo_emulator_dialect", ["vertex", "gemini", "openrouter"])
    def test_my_dag(veo_emulator): ...

The plugin does not import Airflow. The fixtures set environment variables, which Airflow reads when it runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_veo.emulator.faults import Trouble
    from airflow_provider_veo.emulator.jobs import Job, Settings
    from airflow_provider_veo.emulator.messages import Call
    from airflow_provider_veo.emulator.server import EmulatorServer

__all__ = ["VeoEmulator", "veo_emulator", "veo_emulator_dialect", "veo_emulator_settings"]

_POLL_INTERVAL = "0.1"  # seconds


@pytest.fixture
def veo_emulator_dialect() -> str:
    """Return the name of the server whose answers are given. Override or parametrize this fixture for another one."""
    return "veo-gateway"


@pytest.fixture
def veo_emulator_settings(veo_emulator_dialect: str) -> Settings:
    """Return the emulator's settings. Override this fixture for another key or length of jobs (0.5 s)."""
    try:
        from airflow_provider_veo.emulator.jobs import Settings  # noqa: PLC0415 - only tests with the emulator need it
        from airflow_provider_veo.emulator.server import EmulatorServer  # noqa: F401, PLC0415 - needs the extra
    except ImportError as error:
        raise ImportError(f"{error}. Install the extra: pip install 'airflow-provider-veo[emulator]'") from error
    return Settings(dialect=veo_emulator_dialect, generation_seconds=0.5)


@pytest.fixture
def veo_emulator(
    veo_emulator_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[VeoEmulator]:
    """Run the emulator for one test, as the connection `veo_default`. Tasks ask it for the status every 0.1 s.

    `[veo] storage` is a folder of this test, so that no test writes into the storage of real videos.
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
    """The emulator, as a test controls it.

    Attributes:
        url: Base URL of the API.
        api_key: API key that the emulator accepts.
        storage: Folder of relative destinations.
    """

    def __init__(self, server: EmulatorServer, monkeypatch: pytest.MonkeyPatch, storage: Path) -> None:
        self._jobs = server.jobs
        self._faults = server.faults
        self._tokens = server.tokens
        self._dialect = server.settings.dialect
        self._monkeypatch = monkeypatch
        self.url = server.url
        self.api_key = server.settings.api_key
        self.storage = storage

    def connect(self, conn_id: str, **extra: Any) -> None:
        """Add an Airflow connection to the emulator.

        Args:
            conn_id: ID of the connection.
            extra: Extra fields of the connection, for example `default_model="veo-3.1"`. The `profile` is by default
                that of the gateway whose dialect the emulator speaks, and the `backend` that of the dialect. For
                `vertex`, and for `gemini` with a `project`, the connection has the key of a service account;
                `location` and `output_uri` (`gs://bucket/folder/`) are optional.
        """
        from airflow_provider_veo.emulator.connections import make_connection  # noqa: PLC0415 - as above

        connection = make_connection(self.url, self.api_key, self._dialect, **extra)
        self._monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    def expire_tokens(self) -> None:
        """Let all access tokens expire, earlier than was announced. Only Google Cloud has tokens."""
        self._tokens.expire()

    def fail_next(
        self, reason: str = "Content policy violation", code: str = "task_failed", *, prompt: str = ""
    ) -> None:
        """Let the job of the next order fail. Several calls add up.

        Args:
            reason: Message of the server about the failure. Tasks treat it like that of a real server: they fail at
                once after a message about policy or moderation, and retry after "internal error".
            code: Error code of the failure, in dialects that have one.
            prompt: Part of the prompt of the job that fails. By default the next job fails, with any prompt.
        """
        self._jobs.fail_next(reason, code, prompt)

    def answer_next(self, call: Call, *troubles: Trouble | str, retry_after: float = 1.0) -> None:
        """Let the next answers to a kind of call go wrong, in this order.

        Args:
            call: Kind of call: `order`, `status` or `content`.
            troubles: Faults of the answers, each as a `Trouble` or by its name: `rate_limit` (429), `no_money`,
                `error` (500), `bad_gateway`, `broken_json`, `dropped`, `slow`, `cut`, `gone` (410).
            retry_after: Seconds in the header of a rate limit, and seconds by which a slow answer is late.

        Raises:
            ValueError: There is no such call or trouble.
        """
        from airflow_provider_veo.emulator.faults import Fault, Trouble  # noqa: PLC0415 - as above
        from airflow_provider_veo.emulator.messages import CALLS  # noqa: PLC0415

        if call not in CALLS:
            raise ValueError(f"There is no call {call!r}; there are: {', '.join(CALLS)}.")
        kinds = {kind.name.lower(): kind for kind in Trouble}
        for trouble in troubles:
            kind = trouble if isinstance(trouble, Trouble) else kinds.get(trouble)
            if kind is None:
                raise ValueError(f"There is no trouble {trouble!r}; there are: {', '.join(kinds)}.")
            self._faults.add(call, Fault(kind, seconds=retry_after))

    def hold(self) -> None:
        """Stop the clock of the emulator: jobs make no progress until `set_progress` or `release`."""
        self._jobs.hold()

    def set_progress(self, percent: float, video_id: str | None = None) -> None:
        """Set the progress of jobs that are not finished, and stop the clock as `hold` does.

        Args:
            percent: Progress from 0 to 100. A job with 100 is finished.
            video_id: ID of the job. By default all jobs change.

        Raises:
            ValueError: The percentage is wrong, or there is no such job.
        """
        self._jobs.set_progress(percent, video_id)

    def release(self) -> None:
        """Let the clock continue."""
        self._jobs.release()

    @property
    def orders(self) -> list[Job]:
        """All jobs, the earliest order first, with `id`, `prompt`, `model`, `frames` and more."""
        return self._jobs.all()[::-1]

    @property
    def charged(self) -> int:
        """Number of videos that the gateway would have charged by now: finished ones, and all videos of chat calls."""
        return len(self._jobs.charged()) + self._jobs.counters.chat_videos

    @property
    def charged_usd(self) -> float:
        """Cost of all charged videos at the gateway, in US dollars."""
        return self._jobs.report()["charged_usd"]
