"""One measurement in one fresh process: N waits of one peer in one event loop. The last line printed is the result."""

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
_TOGETHER = 50  # triggers that a triggerer starts in one go
_DEFAULT_BOUND = 32
_GENERATION = 1000  # waits that live at the same time in `lives`


@dataclass(frozen=True)
class Steady:
    """What waiting costs while nothing ends.

    Attributes:
        cpu_us: per poll.
        lag_p50: of the event loop, in milliseconds.
        lag_p99: of the same.
        lag_max: of the same.
        collection: the garbage collector's longest pass, in milliseconds of CPU time; part of the lag.
        rss_kb: that a waiting job adds.
        sockets: the most that were open at once.
        lookups: of Airflow connections.
        bound: what `[veo] max_in_flight_polls` says.
        failures: waits that ended, though no job did, and polls of the waits written by hand that failed.
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
    """What waiting costs until all jobs have ended.

    Attributes:
        cpu_ms: per job.
        delay: from a job's end to its event, mean, in seconds.
        last: from the last job's end to the last event, in seconds.
        failures: waits that did not see their job complete.
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
    """What is left of waits that are over.

    Attributes:
        lives: waits from beginning to end.
        objects: that the garbage collector sees at the end, more than after the first tenth.
        rss_mb: that the process has grown by in the same time.
        open_sockets: when the last one is gone.
        cpu_ms: per wait.
        failures: waits that did not see their job complete.
    """

    lives: int
    objects: int
    rss_mb: float
    open_sockets: int
    cpu_ms: float
    failures: int


class Probe:
    """Measures how late an event loop is, many times a second, and how long the garbage collector holds it up.

    Attributes:
        longest_collection: in milliseconds of CPU time: other processes of the machine do not count.
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
        """Return median, 99th percentile and maximum, in milliseconds."""
        self._task.cancel()
        gc.callbacks.remove(self._on_collection)
        lags = [*self._lags, self._late()]  # the last one may never have had its turn
        cuts = statistics.quantiles(lags * 2, n=100, method="inclusive")
        return cuts[49], cuts[98], max(lags)


class Counters:
    """Reads the server's counts of one tag."""

    def __init__(self, port: int, tag: str) -> None:
        self._port = port
        self._tag = tag

    async def read(self) -> dict[str, int]:
        """Return the counts."""
        counts = await wire.ask_once(self._port, "/counters")
        return dict(counts.get(self._tag, {"polls": 0, "sockets": 0, "most_sockets": 0}))

    async def reset(self) -> None:
        """Start the search for the largest number of sockets anew."""
        await wire.ask_once(self._port, f"/reset/{self._tag}")


async def start(wait: Waiter, waiting: Sequence[Job], over: float) -> list[asyncio.Task[bool]]:
    """Start the waits, spread evenly over some seconds, so that they do not ask in step."""
    begun = time.monotonic()
    tasks: list[asyncio.Task[bool]] = []
    step = _TOGETHER if len(waiting) > 10 * _TOGETHER else 1
    for first in range(0, len(waiting), step):
        await asyncio.sleep(max(0.0, begun + over * first / len(waiting) - time.monotonic()))
        tasks += [asyncio.ensure_future(wait(job)) for job in waiting[first : first + step]]
    return tasks


async def steady(arguments: argparse.Namespace) -> Steady:
    """Measure a window in which all wait and none ends."""
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
    """Measure until the last event. Without the probe: over minutes it would cost as much as the polls."""
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
    """Measure what is left of waits for jobs that are finished when they are first asked for."""
    wait = waiter(arguments.peer, Setting(arguments.port, arguments.poll_interval))
    await asyncio.gather(*map(wait, jobs.finished(_GENERATION, arguments.tag)))  # what the first waits leave is no leak
    tenth, failures, cpu = arguments.jobs // 10, 0, time.process_time()
    left: list[tuple[int, int]] = []
    for _ in range(10):
        for first in range(0, tenth, _GENERATION):
            generation = jobs.finished(min(_GENERATION, tenth - first), arguments.tag)
            failures += (await asyncio.gather(*map(wait, generation))).count(False)
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
    """Measure, print the result, and end at once: to cancel thousands of waits takes a crowded client minutes."""
    print(json.dumps(asdict(await measure(arguments))), flush=True)
    os._exit(0)


async def measure(arguments: argparse.Namespace) -> Steady | UntilDone | Lives:
    """Run the measurement that was asked for."""
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
    parser.add_argument("--port", type=int, required=True, help="of the server")
    parser.add_argument("--tag", required=True, help="by which the server counts")
    parser.add_argument("--mix", choices=("endless", "usual", "spread", "lives"), default="endless")
    parser.add_argument("--poll-interval", type=float, help="in seconds; without it the peer's own schedule")
    parser.add_argument("--ramp", type=float, default=0.0, help="seconds over which starts are spread")
    parser.add_argument("--settle", type=float, default=2.0, help="seconds between the last start and the window")
    parser.add_argument("--window", type=float, default=10.0, help="seconds to measure")
    parser.add_argument("--first", type=float, default=8.0, help="seconds until the first job of `spread` ends")
    parser.add_argument("--last", type=float, default=9.0, help="seconds until the last job of `spread` ends")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(report(_arguments()))
