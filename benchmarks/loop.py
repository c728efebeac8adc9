"""One measurement in a new process: N waits of one peer in one event loop. The last printed line is the result."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from airflow.providers.common.compat.sdk import conf

from benchmarks import jobs, lookups, wire
from benchmarks.jobs import Job
from benchmarks.peers import PEERS, Setting, Waiter, waiter

PROBE_INTERVAL = 0.05
_TOGETHER = 50  # triggers that a triggerer starts at once
_DEFAULT_BOUND = 32
_BATCH = 1000  # waits that live at the same time in `lives`


@dataclass(frozen=True)
class Steady:
    """The cost of waiting while no job ends.

    Attributes:
        polls: Number of status calls.
        rate: Status calls a second.
        cpu_us: Microseconds of CPU time per status call.
        lag_p50: Median lag of the event loop, in milliseconds.
        lag_p99: 99th percentile of the lag, in milliseconds.
        lag_max: Longest lag, in milliseconds.
        collection: Longest pass of the garbage collector, in milliseconds of CPU time. It is a part of the lag.
        rss_kb: Memory that a waiting job adds, in kilobytes.
        sockets: Most sockets that were open at the same time.
        lookups: Number of look-ups of Airflow connections.
        bound: Value of `[veo] max_in_flight_polls`.
        failures: Number of waits that ended although no job ended, and of failed status calls of the waits written by
            hand.
    """

    polls: int
    rate: float
    cpu_us: float
    lag_p50: float
    lag_p99: float
    lag_max: float
    collection: float
    rss_kb: float
    sockets: int
    lookups: int
    bound: int
    failures: int


@dataclass(frozen=True)
class UntilDone:
    """The cost of waiting until all jobs have ended.

    Attributes:
        jobs: Number of jobs.
        polls: Number of status calls.
        cpu_ms: Milliseconds of CPU time per job.
        delay: Mean time from the end of a job to its event, in seconds.
        last: Time from the end of the last job to the last event, in seconds.
        failures: Number of waits that did not see their job complete.
        sockets: Most sockets that were open at the same time.
        lookups: Number of look-ups of Airflow connections.
        bound: Value of `[veo] max_in_flight_polls`.
    """

    jobs: int
    polls: int
    cpu_ms: float
    delay: float
    last: float
    failures: int
    sockets: int
    lookups: int
    bound: int


@dataclass(frozen=True)
class Lives:
    """The leftovers of waits that have ended.

    Attributes:
        lives: Number of waits.
        objects: Number of objects that the garbage collector sees at the end, minus the number after the first tenth.
        rss_mb: Growth of the process in the same time, in megabytes.
        open_sockets: Number of sockets that are open after the last wait.
        cpu_ms: Milliseconds of CPU time per wait.
        failures: Number of waits that did not see their job complete.
    """

    lives: int
    objects: int
    rss_mb: float
    open_sockets: int
    cpu_ms: float
    failures: int


class Probe:
    """A probe of how late an event loop is, many times a second, and how long the garbage collector blocks it.

    Attributes:
        longest_collection: Longest pass of the garbage collector, in milliseconds of CPU time, so that other processes
            of the machine do not count.
    """

    def __init__(self) -> None:
        self.longest_collection = 0.0
        self._collecting_since = 0.0
        self._lags: list[float] = []
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time()
        self._task = asyncio.create_task(self._run())
        gc.callbacks.append(self._on_collection)

    def _on_collection(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting_since = time.thread_time()
        else:
            passed = 1000 * (time.thread_time() - self._collecting_since)
            self.longest_collection = max(self.longest_collection, passed)

    async def _run(self) -> None:
        while True:
            self._due = self._loop.time() + PROBE_INTERVAL
            await asyncio.sleep(PROBE_INTERVAL)
            self._lags.append(self._late())

    def _late(self) -> float:
        return max(0.0, 1000 * (self._loop.time() - self._due))

    def stop(self) -> tuple[float, float, float]:
        """End the probe, and return median, 99th percentile and maximum of the lags, in milliseconds."""
        self._task.cancel()
        gc.callbacks.remove(self._on_collection)
        lags = [*self._lags, self._late()]  # the loop may have been blocked until now
        cuts = statistics.quantiles(lags * 2, n=100, method="inclusive")
        return cuts[49], cuts[98], max(lags)


class Counters:
    """The counts of one tag at the server."""

    def __init__(self, port: int, tag: str) -> None:
        self._port = port
        self._tag = tag

    async def read(self) -> dict[str, int]:
        """Return the counts."""
        counts = await wire.ask_once(self._port, "/counters")
        return dict(counts.get(self._tag, {"polls": 0, "sockets": 0, "most_sockets": 0}))

    async def reset(self) -> None:
        """Restart the count of the most sockets that are open at the same time."""
        await wire.ask_once(self._port, f"/reset/{self._tag}")


async def start(wait: Waiter, waiting: Sequence[Job], over: float) -> list[asyncio.Task[bool]]:
    """Start the waits evenly over some seconds, so that they do not send their status calls at the same time.

    Args:
        wait: Waits for one job.
        waiting: Jobs to wait for.
        over: Seconds over which the starts are spread.
    """
    begun = time.monotonic()
    tasks: list[asyncio.Task[bool]] = []
    step = _TOGETHER if len(waiting) > 10 * _TOGETHER else 1
    for first in range(0, len(waiting), step):
        await asyncio.sleep(max(0.0, begun + over * first / len(waiting) - time.monotonic()))
        tasks += [asyncio.ensure_future(wait(job)) for job in waiting[first : first + step]]
    return tasks


async def steady(arguments: argparse.Namespace) -> Steady:
    """Measure some seconds in which all jobs keep running."""
    setting = Setting(arguments.port, arguments.poll_interval)
    wait = waiter(arguments.peer, setting)
    counters = Counters(arguments.port, arguments.tag)
    waiting = jobs.endless(arguments.jobs, arguments.tag)
    memory = _rss()
    tasks = await start(wait, waiting, arguments.ramp)
    await asyncio.sleep(arguments.settle)
    await counters.reset()
    before, probe, begun, cpu = await counters.read(), Probe(), time.monotonic(), time.process_time()
    await asyncio.sleep(arguments.window)
    cpu, seconds, lags = time.process_time() - cpu, time.monotonic() - begun, probe.stop()
    after = await counters.read()
    polls = after["polls"] - before["polls"]
    return Steady(
        polls=polls,
        rate=polls / seconds,
        cpu_us=1e6 * cpu / max(polls, 1),
        lag_p50=lags[0],
        lag_p99=lags[1],
        lag_max=lags[2],
        collection=probe.longest_collection,
        rss_kb=(_rss() - memory) / 1024 / len(waiting),
        sockets=after["most_sockets"],
        lookups=_lookups(),
        bound=_bound(),
        failures=sum(task.done() for task in tasks) + len(setting.errors),
    )


async def until_done(arguments: argparse.Namespace, waiting: Sequence[Job]) -> UntilDone:
    """Measure until the last event. There is no probe: over minutes, it would cost as much as the status calls."""
    wait = waiter(arguments.peer, Setting(arguments.port, arguments.poll_interval))
    seen: list[tuple[Job, float, bool]] = []

    async def note(job: Job) -> bool:
        ended_well = await wait(job)
        seen.append((job, time.time(), ended_well))
        return ended_well

    cpu = time.process_time()
    await asyncio.gather(*await start(note, waiting, 0.0), return_exceptions=True)
    cpu = time.process_time() - cpu
    counts = await Counters(arguments.port, arguments.tag).read()
    good = [(job, moment) for job, moment, well in seen if well and moment >= job.ends_at]
    return UntilDone(
        jobs=len(waiting),
        polls=counts["polls"],
        cpu_ms=1000 * cpu / len(waiting),
        delay=statistics.fmean(moment - job.ends_at for job, moment in good),
        last=max(moment for _, moment in good) - max(job.ends_at for job in waiting),
        failures=len(waiting) - len(good),
        sockets=counts["most_sockets"],
        lookups=_lookups(),
        bound=_bound(),
    )


async def lives(arguments: argparse.Namespace) -> Lives:
    """Measure the leftovers of waits for jobs that are finished at the first status call."""
    wait = waiter(arguments.peer, Setting(arguments.port, arguments.poll_interval))
    # the first waits fill caches, which are not a leak
    await asyncio.gather(*map(wait, jobs.finished(_BATCH, arguments.tag)))
    tenth, failures, cpu = arguments.jobs // 10, 0, time.process_time()
    left: list[tuple[int, int]] = []
    for _ in range(10):
        for first in range(0, tenth, _BATCH):
            batch = jobs.finished(min(_BATCH, tenth - first), arguments.tag)
            failures += (await asyncio.gather(*map(wait, batch))).count(False)
        rss = _rss()
        left.append((len(gc.get_objects()), rss))
    counts = await Counters(arguments.port, arguments.tag).read()
    return Lives(
        lives=10 * tenth,
        objects=left[-1][0] - left[0][0],
        rss_mb=(left[-1][1] - left[0][1]) / 1024**2,
        open_sockets=counts["sockets"],
        cpu_ms=1000 * (time.process_time() - cpu) / (10 * tenth),
        failures=failures,
    )


async def report(arguments: argparse.Namespace) -> None:
    """Measure, print the result, and end at once, since cancelling thousands of waits of one client takes minutes."""
    print(json.dumps(asdict(await measure(arguments))), flush=True)
    os._exit(0)


async def measure(arguments: argparse.Namespace) -> Steady | UntilDone | Lives:
    """Run the measurement that the arguments name."""
    if arguments.mix == "lives":
        return await lives(arguments)
    if arguments.mix == "endless":
        return await steady(arguments)
    if arguments.mix == "usual":
        return await until_done(arguments, jobs.usual(arguments.jobs, arguments.tag, arguments.seed))
    return await until_done(
        arguments, jobs.spread(arguments.jobs, arguments.tag, arguments.seed, arguments.first, arguments.last)
    )


def _rss() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def _lookups() -> int:
    return lookups.count(Path(os.environ[lookups.FILE]), os.getpid())


def _bound() -> int:
    return conf.getint("veo", "max_in_flight_polls", fallback=_DEFAULT_BOUND)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", choices=PEERS, required=True)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--port", type=int, required=True, help="port of the server")
    parser.add_argument("--tag", required=True, help="name by which the server counts the requests")
    parser.add_argument("--mix", choices=("endless", "usual", "spread", "lives"), default="endless")
    parser.add_argument(
        "--poll-interval",
        type=float,
        help="seconds between two status calls; without it, the peer uses its own schedule",
    )
    parser.add_argument("--ramp", type=float, default=0.0, help="seconds over which the starts are spread")
    parser.add_argument("--settle", type=float, default=2.0, help="seconds between the last start and the window")
    parser.add_argument("--window", type=float, default=10.0, help="seconds to measure")
    parser.add_argument("--first", type=float, default=8.0, help="seconds until the first job of `spread` ends")
    parser.add_argument("--last", type=float, default=9.0, help="seconds until the last job of `spread` ends")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(report(_arguments()))
