"""Measure the numbers of docs/scaling.md on a cluster, and print them as Markdown: `make figures`.

Nothing else may run on the machine meanwhile.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.deferred_dag import DAG_FILE, DAG_ID
from benchmarks.processes import ROOT, server
from tests.cluster.airflow_cluster import VIDEOS, Cluster, airflow_on_postgresql, video_cluster

PER_LOOP = (50, 1000)
COUNTS = (300, 1000)
CALM = 20.0  # seconds in which a triggerer starts its second process


def main() -> None:
    with server() as port:
        for per_loop in PER_LOOP:
            take_up(port, per_loop)
    whole_run()


def take_up(port: int, per_loop: int) -> None:
    """Defer task instances at once, and see how soon triggerers run their triggers; then lose one of two."""
    settings = {"AIRFLOW__TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP": str(per_loop)}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "benchmark.py").write_text(DAG_FILE)
        with airflow_on_postgresql(Path(folder), settings) as (lab, sql):
            cluster = Cluster(lab, sql)
            cluster.wait_until("the Dag", lambda: cluster.sql("select 1 from serialized_dag"))
            print("| selected per loop | triggerers | triggers | all assigned after s | all run after s | shares |")
            print("| ---: | ---: | ---: | ---: | ---: | ---: |")
            for triggerers in (1, 2):
                for count in COUNTS:
                    start_anew(cluster, triggerers)
                    begin = defer(cluster, port, count)
                    assigned, run = taken_up(cluster, count)
                    shares = " + ".join(str(cluster.waiting().get(number, 0)) for number in cluster.triggerers)
                    row = (per_loop, triggerers, count, f"{assigned - begin:.1f}", f"{run - begin:.1f}", shares)
                    print("|", " | ".join(map(str, row)), "|", flush=True)
            start_anew(cluster, 2)
            defer(cluster, port, COUNTS[-1])
            taken_up(cluster, COUNTS[-1])
            begin = time.monotonic()
            lost = cluster.lose_triggerer()
            print(f"\n{lost} triggers of a lost triggerer: with the other one {time.monotonic() - begin:.0f} s later\n")


def start_anew(cluster: Cluster, triggerers: int) -> None:
    """Forget what was deferred, and start triggerers that have nothing to do."""
    for number in list(cluster.triggerers):
        cluster.lab.kill(cluster.triggerers.pop(number))
    for table in ("dag_run", "trigger", "connection"):
        cluster.sql(f"with gone as (delete from {table} returning 1) select count(*) from gone")  # noqa: S608 - our own names
    shutil.rmtree(cluster.lab.home / "logs" / f"dag_id={DAG_ID}", ignore_errors=True)
    for _ in range(triggerers):
        cluster.start_triggerer()
    time.sleep(CALM)


def defer(cluster: Cluster, port: int, count: int) -> float:
    """Put deferred task instances into the database, and return when it was done."""
    options = ("--peer", "veo", "--jobs", str(count), "--port", str(port), "--first", str(3600), "--last", str(3700))
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.deferred", "insert", *options],
        env=cluster.lab.environment,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        process.stdin.write(b"\n")
        process.stdin.close()
        next(line for line in process.stdout if line.startswith(b"{"))
        return time.monotonic()


def taken_up(cluster: Cluster, count: int) -> tuple[float, float]:
    """Return when all triggers were assigned to triggerers, and when all had begun to run."""
    assigned = cluster.wait_until("assignment", lambda: None not in cluster.waiting() and time.monotonic(), pause=0.1)
    logs = cluster.lab.home / "logs"  # a trigger that begins says so
    begun = cluster.wait_until(
        "logs", lambda: len(list(logs.rglob("*.trigger.*"))) >= count and time.monotonic(), pause=0.1
    )
    return assigned, begun


def whole_run() -> None:
    """Make all videos, without losses, and see what that costs."""
    with tempfile.TemporaryDirectory(prefix="veo-videos-") as storage, video_cluster(Path(storage)) as cluster:
        before, begin = cpu(cluster), time.monotonic()
        cluster.lab.trigger("many")
        cluster.wait_until("all orders", lambda: cluster.states().get("deferred") == VIDEOS)
        ordered, waiting = cpu(cluster), time.monotonic()
        connections = cluster.sql("select count(*) from pg_stat_activity where client_port is not null")[0][0]
        cluster.hours_later(2)
        cluster.wait_until("the run to end", lambda: cluster.run_state() == "success")
        stored = cpu(cluster)
        print(f"{VIDEOS} orders: {waiting - begin:.0f} s; the rest: {time.monotonic() - waiting:.0f} s")
        print(f"{connections} connections of the database\n")
        print("| component | CPU ms an order | CPU ms a stored video |")
        print("| --- | ---: | ---: |")
        for name in before:
            parts = ((ordered[name] - before[name]) / VIDEOS, (stored[name] - ordered[name]) / VIDEOS)
            print(f"| {name} |", " | ".join(f"{1000 * part:.0f}" for part in parts), "|")


def cpu(cluster: Cluster) -> dict[str, float]:
    """Return the CPU seconds of each component, with those of its children that have ended."""
    used = dict.fromkeys(("api-server", "scheduler", "dag-processor", "triggerer", "celery worker", "PostgreSQL"), 0.0)
    for leader in cluster.lab.leaders:
        name = next(name for name in used if name in " ".join(leader.args))
        used[name] += sum(map(seconds, cluster.lab.processes(leader)))
    [(pid,)] = cluster.sql("select pg_backend_pid()")
    server = psutil.Process(pid).parent()
    used["PostgreSQL"] = seconds(server) + sum(map(seconds, server.children()))
    return used


def seconds(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return times.user + times.system + times.children_user + times.children_system
    return 0.0


if __name__ == "__main__":
    main()
