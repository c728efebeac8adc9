"""`make demo`: a prompt becomes a video on a real Airflow, offline and for free.

Starts the emulator and a throw-away Airflow (scheduler, triggerer, Dag processor, API server), runs the first example
Dag, and shows what happens. The UI stays up until Ctrl-C; with `--once` everything is taken down at the end.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import av
from airflow_lab import AirflowLab, LabError

from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer

DAG_ID = "example_veo_text_to_video"
PROMPT = "A small cat paints the sea. 画小猫"
EXPECTED = {"width": 1280, "height": 720, "seconds": 8}
RUN_TIMEOUT = 300.0
ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Watch:
    """What the demo saw of the run, from Airflow's API and the process table."""

    states: dict[str, str | None] = field(default_factory=dict)
    task_process_seen: bool = False
    deferred_without_process: bool = False
    printed: set[str] = field(default_factory=set)


def main() -> int:
    """Run the demo and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="end when the video is there")
    parser.add_argument("--generation-seconds", type=float, default=20.0)
    options = parser.parse_args()
    try:
        with EmulatorServer(Settings(generation_seconds=options.generation_seconds)) as emulator:
            say(f"Emulator of the video API: {emulator.url}")
            say("Airflow: starting (this takes half a minute) ...")
            with AirflowLab(ROOT / "example_dags", {"veo_default": connection(emulator)}, settings()) as lab:
                say(f"Airflow UI: {lab.url}")
                run(lab, emulator)
                if not options.once:
                    say(f"The UI stays up at {lab.url}/dags/{DAG_ID} until Ctrl-C.")
                    while True:
                        time.sleep(3600)
    except KeyboardInterrupt:
        say("Stopped; nothing is left running.")
    except LabError as error:
        say(f"FAILED: {error}")
        return 1
    return 0


def connection(emulator: EmulatorServer) -> dict[str, str]:
    """Return the Airflow connection to the emulator."""
    return {"conn_type": "veo", "host": emulator.url, "password": emulator.settings.api_key}


def settings() -> dict[str, str]:
    """Return Airflow settings of the demo: where videos go, and brisk polling for its short jobs."""
    return {"AIRFLOW__VEO__STORAGE": str(ROOT / "demo_videos"), "AIRFLOW__VEO__POLL_INTERVAL": "2"}


def run(lab: AirflowLab, emulator: EmulatorServer) -> None:
    """Run the Dag and check everything that the demo promises.

    Raises:
        LabError: anything is not as it should be.
    """
    run_id = lab.trigger(DAG_ID, {"prompt": PROMPT})
    say(f"Dag run {run_id} started; prompt: {PROMPT}")
    watch = Watch()
    started = time.monotonic()
    while (state := lab.run_state(DAG_ID, run_id)) not in ("success", "failed"):
        if time.monotonic() - started > RUN_TIMEOUT:
            raise LabError(f"The Dag run is still {state} after {RUN_TIMEOUT:.0f} s. Task states: {watch.states}")
        look(lab, run_id, watch)
        for _ in range(5):  # a task process lives for a second or two
            watch.task_process_seen = watch.task_process_seen or bool(lab.task_processes())
            time.sleep(0.2)
    look(lab, run_id, watch)
    if state != "success":
        raise LabError(f"The Dag run failed. Task states: {watch.states}\n{task_logs(lab, run_id, watch)}")
    if not watch.task_process_seen:
        raise LabError("No task process was ever seen: the check that none runs during the wait proves nothing.")
    if not watch.deferred_without_process:
        raise LabError("The create task was never seen deferred without a task process.")
    result = lab.result(DAG_ID, run_id, "download_video")
    created = lab.result(DAG_ID, run_id, "create_video")
    check_video(Path(result["path"]))
    charged = emulator.jobs.report()["charged"]
    if charged != 1:
        raise LabError(f"{charged} videos were charged instead of one.")
    say(f"Cost at the real gateway: ${created['estimated_cost_usd']:.2f} for {charged} video")


def look(lab: AirflowLab, run_id: str, watch: Watch) -> None:
    """Print what is new, and find out who works while the task is deferred."""
    states = lab.task_states(DAG_ID, run_id)
    for task_id, state in states.items():
        if state and watch.states.get(task_id) != state:
            say(f"  {task_id}: {state}")
    watch.states = states
    if states.get("create_video") == "deferred" and not watch.deferred_without_process:
        working = lab.task_processes()
        # asked again: the task may have resumed between the two looks
        if not working and lab.task_states(DAG_ID, run_id).get("create_video") == "deferred":
            watch.deferred_without_process = True
            say("  create_video: waits in the triggerer; no task process is running")
    if states.get("create_video") in ("deferred", "running", "success"):
        for line in lab.log_lines(DAG_ID, run_id, "create_video"):
            if line.startswith("Video ") and line not in watch.printed:
                watch.printed.add(line)
                say(f"    {line}")


def task_logs(lab: AirflowLab, run_id: str, watch: Watch) -> str:
    """Return the ends of the logs of the failed tasks."""
    failed = [task_id for task_id, state in watch.states.items() if state == "failed"]
    return "\n".join(
        f"--- log of {task_id}:\n" + "\n".join(lab.log_lines(DAG_ID, run_id, task_id)[-15:]) for task_id in failed
    )


def check_video(path: Path) -> None:
    """Open the file as a player would, and print what it is.

    Raises:
        LabError: it is not the video that was ordered.
    """
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        seconds = float((container.duration or 0) / av.time_base)
        frames = sum(1 for _ in container.decode(video))
    codecs = (video.codec_context.name, audio.codec_context.name)
    found = {"width": video.width, "height": video.height, "seconds": round(seconds)}
    if codecs != ("h264", "aac") or found != EXPECTED or not frames:
        raise LabError(f"{path} is not the video that was ordered: {codecs}, {found}, {frames} frames.")
    say(f"Video: {path}")
    say(
        f"       {path.stat().st_size:,} bytes, {video.width}x{video.height}, {seconds:.1f} s, "
        f"{frames} frames, H.264 + AAC"
    )


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
