"""`make demo`: a prompt becomes a video on a real Airflow, offline and for free.

The demo starts the emulator and a temporary Airflow (scheduler, triggerer, Dag processor, API server), runs an example
Dag, and prints its progress. The UI runs until Ctrl-C; with `--once`, everything is stopped at the end of the run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from airflow_provider_veo.emulator.connections import make_connection
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from dev import examples
from dev.airflow_lab import AirflowLab, LabError
from dev.examples import Example

ROOT = Path(__file__).resolve().parent.parent
STORAGE = ROOT / "demo_videos"
WAITING = "create_video"


@dataclass
class Watch:
    """Observations of a run, from Airflow's API and the process table.

    Attributes:
        states: State of each task.
        task_process_seen: Whether a process of a task was running at any time.
        deferred_without_process: Whether the create task was once deferred while no process of a task was running.
        printed: Lines that were printed, each only once.
    """

    states: dict[str, str | None] = field(default_factory=dict)
    task_process_seen: bool = False
    deferred_without_process: bool = False
    printed: set[str] = field(default_factory=set)


def main() -> int:
    """Run the demo and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dag", help="name of an example (default: text_to_video), or the id of your Dag")
    parser.add_argument(
        "--backend",
        choices=examples.BACKENDS,
        help="backend of the connections, with an example of its own, instead of that of the Veo 3.1 gateway",
    )
    parser.add_argument("--dags", type=Path, help="folder with your own Dags, instead of the examples")
    parser.add_argument("--once", action="store_true", help="end after the run; approve if a task asks a person")
    parser.add_argument("--generation-seconds", type=float, default=20.0, help="length of a job (default: %(default)s)")
    options = parser.parse_args()
    try:
        name = options.dag or options.backend or "text_to_video"
        example = None if options.dags else choose_example(name, options.backend)
        dialect = example.dialect if example else options.backend or examples.GATEWAY
        with EmulatorServer(Settings(dialect, generation_seconds=options.generation_seconds)) as emulator:
            say(f"Emulator of the video API: {emulator.url}")
            say("Airflow: starting (this takes half a minute) ...")
            folder = options.dags or ROOT / "example_dags"
            with AirflowLab(folder, connections(emulator, example), settings()) as lab:
                say(f"Airflow UI: {lab.url}")
                examples.prepare(lab)
                if example:
                    run(lab, emulator, example, alone=options.once)
                else:
                    run_own(lab, emulator, name, alone=options.once)
                if not options.once:
                    say(f"Watch the video: {lab.url}/plugin/veo")
                    say(f"The UI stays up at {lab.url}/dags/{example.dag_id if example else name} until Ctrl-C.")
                    while True:
                        time.sleep(3600)
    except KeyboardInterrupt:
        say("Stopped. All processes have ended.")
    except LabError as error:
        say(f"FAILED: {error}")
        return 1
    return 0


def choose_example(name: str, backend: str | None) -> Example:
    """Return an example.

    Args:
        name: Name of the example.
        backend: Backend that the demo is to use; None for that of the example.

    Raises:
        LabError: There is no such example, or it names a model that the backend does not have.
    """
    example = examples.named(name)
    if backend not in (None, example.dialect):
        raise LabError(
            f"The example {name!r} names a model that the backend {backend!r} does not have. Leave DAG out, or try a "
            "Dag of yours that names no model: make demo DAGS=folder DAG=id BACKEND=" + backend
        )
    return example


def connections(emulator: EmulatorServer, example: Example | None) -> dict[str, dict[str, object]]:
    """Return the Airflow connections to the emulator by ID: the default one, and that of the example.

    Args:
        emulator: The video API.
        example: The example; None for a Dag that is not an example.
    """
    extra = example.extra if example else {}
    made = make_connection(emulator.url, emulator.settings.api_key, emulator.settings.dialect, **extra)
    return dict.fromkeys(("veo_default", example.conn_id if example else "veo_default"), made)


def settings() -> dict[str, str]:
    """Return the Airflow settings of the demo: a folder for videos, and a short poll interval for its short jobs."""
    return {"AIRFLOW__VEO__STORAGE": str(STORAGE), "AIRFLOW__VEO__POLL_INTERVAL": "2"}


def run(lab: AirflowLab, emulator: EmulatorServer, example: Example, *, alone: bool) -> None:
    """Run the Dag, and check its files, its charges, and that no process runs while it waits.

    Args:
        lab: The Airflow.
        emulator: The video API.
        example: The example.
        alone: Answer the questions of tasks, since no person does.

    Raises:
        LabError: The run fails, or a check fails.
    """
    earlier = set(examples.files(example, STORAGE))
    with tempfile.TemporaryDirectory(prefix="veo-demo-") as folder:
        run_id = examples.start(lab, example, example.conf(Path(folder)))
        say(f"{example.dag_id}: run {run_id} started")
        watch = watched(lab, example.dag_id, run_id, alone=alone)
    if WAITING in watch.states and not watch.task_process_seen:
        raise LabError(
            "No process of a task was ever seen, so the check that none runs during the wait proves nothing."
        )
    if WAITING in watch.states and not watch.deferred_without_process:
        raise LabError("The create task was never seen deferred without a task process.")
    paths = [path for path in examples.files(example, STORAGE) if path not in earlier]
    examples.check(example, paths)
    for path in paths:
        say(f"File: {path} ({path.stat().st_size:,} bytes)")
    charged = examples.charged(emulator.jobs)
    if charged != example.videos:
        raise LabError(f"{charged} videos were charged instead of {example.videos}.")
    say(f"Cost at the real service: ${emulator.jobs.report()['charged_usd']:.2f}")


def run_own(lab: AirflowLab, emulator: EmulatorServer, dag_id: str, *, alone: bool) -> None:
    """Run a Dag that is not an example. The other arguments are those of `run`.

    Raises:
        LabError: The Dag does not exist, or its run fails.
    """
    earlier = set(STORAGE.rglob("*"))
    run_id = lab.trigger(dag_id)
    say(f"{dag_id}: run {run_id} started")
    watched(lab, dag_id, run_id, alone=alone)
    for path in sorted(path for path in set(STORAGE.rglob("*")) - earlier if path.is_file()):
        say(f"File: {path} ({path.stat().st_size:,} bytes)")
    say(f"Cost at the real service: ${emulator.jobs.report()['charged_usd']:.2f}")


def watched(lab: AirflowLab, dag_id: str, run_id: str, *, alone: bool) -> Watch:
    """Follow a run to its end, and print its changes.

    Raises:
        LabError: The run fails, or takes too long.
    """
    watch, started = Watch(), time.monotonic()
    while (state := lab.run_state(dag_id, run_id)) not in ("success", "failed"):
        if time.monotonic() - started > examples.RUN_TIMEOUT:
            raise LabError(f"The run is still {state} after {examples.RUN_TIMEOUT:.0f} s. Tasks: {watch.states}")
        look(lab, dag_id, run_id, watch)
        for task_id in lab.open_questions(dag_id, run_id):
            say_once(watch, f"  {task_id}: waits for a person, at {lab.url}/required_actions")
            if alone:
                lab.answer(dag_id, run_id, task_id, "Approve")
                say(f"  {task_id}: approved, since --once answers for you")
        for _ in range(5):  # a task process lives for a second or two
            watch.task_process_seen = watch.task_process_seen or bool(lab.task_processes())
            time.sleep(0.2)
    look(lab, dag_id, run_id, watch)
    if state != "success":
        raise LabError(f"The run failed. Tasks: {watch.states}\n{task_logs(lab, dag_id, run_id, watch)}")
    return watch


def look(lab: AirflowLab, dag_id: str, run_id: str, watch: Watch) -> None:
    """Print the changes of a run, and check whether a process runs while the create task is deferred."""
    states = lab.task_states(dag_id, run_id)
    for task_id, state in states.items():
        if state and watch.states.get(task_id) != state:
            say(f"  {task_id}: {state}")
    watch.states = states
    if states.get(WAITING) == "deferred" and not watch.deferred_without_process:
        working = lab.task_processes()
        # the state is read again, since the task may have resumed meanwhile
        if not working and lab.task_states(dag_id, run_id).get(WAITING) == "deferred":
            watch.deferred_without_process = True
            say(f"  {WAITING}: waits in the triggerer; no task process is running")
    if states.get(WAITING) in ("deferred", "running", "success"):
        for line in lab.log_lines(dag_id, run_id, WAITING):
            if line.startswith("Video "):
                say_once(watch, f"    {line}")


def task_logs(lab: AirflowLab, dag_id: str, run_id: str, watch: Watch) -> str:
    """Return the ends of the logs of the failed tasks that are not mapped."""
    failed = [task_id for task_id, state in watch.states.items() if state == "failed" and "[" not in task_id]
    return "\n".join(
        f"--- log of {task_id}:\n" + "\n".join(lab.log_lines(dag_id, run_id, task_id)[-15:]) for task_id in failed
    )


def say_once(watch: Watch, line: str) -> None:
    """Print a line unless it was printed before."""
    if line not in watch.printed:
        watch.printed.add(line)
        say(line)


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
