"""The ways to wait for a job: this provider's trigger, triggers of other providers, and coroutines written by hand.

Each peer is a function that is called with a `Setting` inside a running event loop. It returns a coroutine function
that waits for one job and returns whether the job was seen to complete.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.jobs import MODEL, Job
from benchmarks.wire import Pool

FLOOR_BOUND = 32
"""Most connections of the raw socket: as many as the poller of this provider may use by default."""

_JITTER = 0.1
_TIMEOUT = 36_000.0

Serialized = tuple[str, dict[str, Any]]
Waiter = Callable[[Job], Awaitable[bool]]


@dataclass(frozen=True)
class Setting:
    """The settings of a wait.

    Attributes:
        port: Port of the server on loopback.
        poll_interval: Seconds between two status calls; None if the peer has its own schedule.
        errors: Errors of the coroutines written by hand. They continue after an error.
    """

    port: int
    poll_interval: float | None
    errors: list[Exception] = field(default_factory=list)


def connections(port: int) -> dict[str, dict[str, Any]]:
    """Return the Airflow connections that the triggers use, by ID."""
    url = f"http://127.0.0.1:{port}"
    return {
        "veo_bench": {"conn_type": "veo", "host": url, "password": "key"},
        "openai_bench": {"conn_type": "openai", "host": f"{url}/v1", "password": "key"},
        "http_bench": {"conn_type": "http", "host": url},
    }


def veo_trigger(job: Job, poll_interval: float | None) -> Serialized:
    """Return the trigger of this provider in its stored form."""
    from airflow_provider_veo.triggers.video import VeoVideoTrigger  # noqa: PLC0415 - a peer must not pay for another's imports

    return VeoVideoTrigger(
        conn_id="veo_bench",
        video_id=job.id,
        submitted_at=job.start,
        deadline=job.start + _TIMEOUT,
        poll_interval=poll_interval,
        model=MODEL,
    ).serialize()


def http_trigger(job: Job, poll_interval: float | None) -> Serialized:
    """Return the http provider's trigger of a deferrable `HttpSensor`, in its stored form."""
    from airflow.providers.http.triggers.http import HttpSensorTrigger  # noqa: PLC0415

    assert poll_interval is not None
    return HttpSensorTrigger(
        endpoint=f"wait/{job.id}", http_conn_id="http_bench", poke_interval=poll_interval
    ).serialize()


def openai_trigger(job: Job, poll_interval: float | None) -> Serialized:
    """Return the openai provider's trigger, in its stored form."""
    from airflow.providers.openai.triggers.openai import OpenAIBatchTrigger  # noqa: PLC0415

    assert poll_interval is not None
    return OpenAIBatchTrigger(
        conn_id="openai_bench", batch_id=job.id, poll_interval=poll_interval, timeout=_TIMEOUT
    ).serialize()


def empty_trigger(job: Job, _poll_interval: float | None) -> Serialized:
    """Return the trigger that only sleeps, in its stored form."""
    from benchmarks.empty import EmptyTrigger  # noqa: PLC0415

    return EmptyTrigger(job.ends_at).serialize()


TRIGGERS: dict[str, Callable[[Job, float | None], Serialized]] = {
    "veo": veo_trigger,
    "http_provider": http_trigger,
    "openai_provider": openai_trigger,
    "empty": empty_trigger,
}


def ended_well(payload: Any) -> bool:
    """Return whether the event of a trigger reports a completed job."""
    if isinstance(payload, dict):
        return payload.get("kind") == "completed" or payload.get("status") == "success"
    return payload is True


def triggered(peer: str, setting: Setting) -> Waiter:
    """Return a wait as in the triggerer: with a trigger made from its stored form."""
    from airflow.providers.common.compat.module_loading import import_string  # noqa: PLC0415

    serialized = TRIGGERS[peer]
    example = Job(0.0, 0.0, 0.0, "none", "example", 0)
    import_string(serialized(example, setting.poll_interval)[0])  # the benchmark `imports` measures imports

    async def wait(job: Job) -> bool:
        path, arguments = serialized(job, setting.poll_interval)
        async for event in import_string(path)(**arguments).run():
            return ended_well(event.payload)
        return False

    return wait


def frozen(setting: Setting) -> Waiter:
    """Return the wait of this provider, in a process that hides its imported modules from the garbage collector."""
    wait = triggered("veo", setting)
    gc.freeze()
    return wait


def floor(setting: Setting) -> Waiter:
    """Return a wait with a raw socket, the cheapest wait that is possible."""
    pool = Pool(setting.port, FLOOR_BOUND)

    async def status(job: Job) -> str:
        return str((await pool.get(f"/v1/videos/{job.id}"))["status"])

    return _asking(status, setting)


def httpx_client(setting: Setting) -> Waiter:
    """Return a wait with one shared `httpx.AsyncClient`, the obvious design."""
    import httpx  # noqa: PLC0415

    client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{setting.port}")

    async def status(job: Job) -> str:
        return str((await client.get(f"/v1/videos/{job.id}")).raise_for_status().json()["status"])

    return _asking(status, setting)


def openai_client(setting: Setting) -> Waiter:
    """Return a wait with one shared `AsyncOpenAI`."""
    from openai import AsyncOpenAI  # noqa: PLC0415

    client = AsyncOpenAI(base_url=f"http://127.0.0.1:{setting.port}/v1", api_key="key")

    async def status(job: Job) -> str:
        return (await client.batches.retrieve(job.id)).status

    return _asking(status, setting)


def _asking(status: Callable[[Job], Awaitable[str]], setting: Setting) -> Waiter:
    assert setting.poll_interval is not None
    interval = setting.poll_interval

    async def wait(job: Job) -> bool:
        while True:
            try:
                if await status(job) == "completed":
                    return time.time() >= job.ends_at
            except Exception as error:  # noqa: BLE001 - the next status call may succeed after any error
                setting.errors.append(error)
            await asyncio.sleep(interval * random.uniform(1 - _JITTER, 1 + _JITTER))

    return wait


BY_HAND: dict[str, Callable[[Setting], Waiter]] = {
    "floor": floor,
    "veo_frozen": frozen,
    "httpx": httpx_client,
    "openai_async": openai_client,
}
PEERS = (*TRIGGERS, *BY_HAND)


def waiter(peer: str, setting: Setting) -> Waiter:
    """Return the wait of a peer."""
    return BY_HAND[peer](setting) if peer in BY_HAND else triggered(peer, setting)
