"""The CPU time of a status call by each backend, against that of `openai`: `python -m benchmarks.backends`.

Each measurement is a process with waits in one event loop, as in a triggerer, and a server on loopback in another one.
The answers are those of running jobs, as they were recorded or as the emulator gives them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

BACKENDS = ("openai", "openrouter", "gemini", "vertex")
LIMIT = 1.3
_WAITS, _INTERVAL, _SETTLE, _WINDOW = 500, 2.0, 4.0, 10.0

_MODEL = "projects/veo-emulator/locations/us-central1/publishers/google/models/veo-3.1-fast-generate-001"
_ANSWERS: Mapping[str, dict[str, Any]] = {
    "openai": {
        "object": "video",
        "model": "veo-3.1-fast",
        "status": "processing",
        "progress": 0,
        "created_at": 1795861441,
    },
    "openrouter": {"status": "in_progress", "generation_id": "gen-1", "polling_url": "/api/v1/videos/x"},
    "gemini": {
        "object": "interaction",
        "created": "2026-11-28T10:24:01.338000Z",
        "updated": "2026-11-28T10:24:02.338000Z",
        "model": "gemini-omni-1.2-flash",
        "status": "in_progress",
    },
    "vertex": {
        "done": False,
        "metadata": {
            "@type": "type.googleapis.com/google.cloud.aiplatform.v1.GenericOperationMetadata",
            "createTime": "2026-11-28T10:24:01.338000Z",
        },
    },
}


def measure(backend: str) -> dict[str, float]:
    """Return the calls a second and the microseconds of CPU time per call of one backend.

    Args:
        backend: Name of the backend.
    """
    command = [sys.executable, "-m", "benchmarks.backends"]
    with subprocess.Popen([*command, "--serve", backend], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            waits = [*command, "--wait", backend, "--port", str(port)]
            ran = subprocess.run(waits, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
        finally:
            server.terminate()
    result: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return result


async def _serve(backend: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _read_head(reader):
            length = next((int(line[15:]) for line in head if line.lower().startswith("content-length:")), 0)
            body = await reader.readexactly(length)
            content = json.dumps(_answer(backend, head[0], body)).encode()
            more = f"Content-Type: application/json\r\nContent-Length: {len(content)}"
            writer.write(f"HTTP/1.1 200 OK\r\n{more}\r\n\r\n".encode() + content)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _read_head(reader: asyncio.StreamReader) -> list[str]:
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return []


def _answer(backend: str, line: str, body: bytes) -> dict[str, Any]:
    path = line.split()[1].partition("?")[0]
    if path == "/token":
        return {"access_token": "ya29.token", "expires_in": 3600, "token_type": "Bearer"}
    if backend == "vertex":
        return {"name": json.loads(body)["operationName"], **_ANSWERS[backend]}
    return {"id": path.rpartition("/")[2], **_ANSWERS[backend]}


async def _wait(backend: str) -> None:
    from airflow_provider_veo.triggers.video import VeoVideoTrigger  # noqa: PLC0415 - only this process needs Airflow

    async def wait(number: int) -> None:
        video_id = f"{_MODEL}/operations/{number}" if backend == "vertex" else f"v1_{number}"
        now = time.time()
        trigger = VeoVideoTrigger(
            conn_id="veo_bench",
            video_id=video_id,
            submitted_at=now,
            deadline=now + 600,
            poll_interval=_INTERVAL,
        )
        async for event in trigger.run():
            raise AssertionError(event)

    waits = [asyncio.create_task(wait(number)) for number in range(_WAITS)]
    await asyncio.sleep(_SETTLE)
    begun, cpu = time.monotonic(), time.process_time()
    await asyncio.sleep(_WINDOW)
    seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
    assert not any(one.done() for one in waits)
    for one in waits:
        one.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    # each wait sends a status call each interval; the count of the calls differs by less than a hundredth
    calls = _WAITS * seconds / _INTERVAL
    print(json.dumps({"rate": calls / seconds, "cpu_us": cpu / calls * 1e6}), flush=True)


def _connect(backend: str, port: int) -> None:
    extra: dict[str, Any] = {"backend": backend}
    url = f"http://127.0.0.1:{port}"
    if backend == "vertex":
        from airflow_provider_veo.emulator.google_cloud import make_key  # noqa: PLC0415 - needs the extra `emulator`

        extra |= {"project": "veo-emulator", "keyfile_dict": json.dumps(make_key(url))}
    os.environ["AIRFLOW_CONN_VEO_BENCH"] = json.dumps(
        {"conn_type": "veo", "host": url, "password": "key", "extra": extra}
    )


def _compare(rounds: int) -> None:
    measured = [{backend: measure(backend)["cpu_us"] for backend in BACKENDS} for _ in range(rounds)]
    for backend in BACKENDS:
        cpu = statistics.median(one[backend] for one in measured)
        times = statistics.median(one[backend] / one["openai"] for one in measured)
        print(f"{backend:12} {cpu:6.0f} µs a status call, {times:.2f} times openai (at most {LIMIT})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each backend")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--wait", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(_serve(arguments.serve))
    elif arguments.wait:
        _connect(arguments.wait, arguments.port)
        asyncio.run(_wait(arguments.wait))
    else:
        _compare(arguments.rounds)
