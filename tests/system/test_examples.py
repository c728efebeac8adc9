"""All example Dags on a real scheduler, at the same time and with one emulator, and the videos of the story."""

from __future__ import annotations

import io
import itertools
import time
from collections import Counter, deque
from pathlib import Path

import av
import pytest

from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from dev import examples
from dev.airflow_lab import AirflowLab
from dev.examples import GATEWAY, POOL
from tests.support import clips
from tests.support.pictures import psnr
from tests.system.collector import Collector

ROOT = Path(__file__).parents[2]
STORY = examples.named("story")
# those of other backends need emulators of their own; tests/integration/test_example_dags.py runs them
EXAMPLES = {dag_id: example for dag_id, example in examples.EXAMPLES.items() if example.dialect == GATEWAY}


class Finished:
    """The results of one run of all examples."""

    def __init__(self, emulator, storage, states, in_flight, collector, questions):
        self.emulator = emulator
        self.storage = storage
        self.states = states
        self.in_flight = in_flight
        self.collector = collector
        self.questions = questions

    @property
    def stored(self):
        """The files that tasks of this provider have stored, without those that a function of an example has copied."""
        paths = [path for example in EXAMPLES.values() for path in examples.files(example, self.storage)]
        return [path for path in paths if path.parent.name != "published"]


BEFORE_AN_ANSWER = 10.0
"""Seconds. Airflow 3.3 may fail a task that continues before its scheduler has noticed that it waits."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    storage = tmp_path_factory.mktemp("videos")
    settings = {"AIRFLOW__VEO__STORAGE": str(storage), "AIRFLOW__VEO__POLL_INTERVAL": "1"}
    with EmulatorServer(Settings(api_key="sk-examples", generation_seconds=6)) as emulator, Collector() as collector:
        extra = {"profile": "veo-gateway"}
        connection = {"conn_type": "veo", "host": emulator.url, "password": "sk-examples", "extra": extra}
        with AirflowLab(ROOT / "example_dags", {"veo_default": connection}, settings | collector.settings) as lab:
            examples.prepare(lab)
            runs = {
                dag_id: examples.start(lab, example, example.conf(tmp_path_factory.mktemp("conf")))
                for dag_id, example in EXAMPLES.items()
                if example.started_by is None
            }
            lab.unpause("example_veo_on_new_video")
            states, in_flight = _until_all_are_over(lab, runs, emulator)
            run_id = runs["example_veo_approval"]
            questions = lab.get(f"/dags/example_veo_approval/dagRuns/{run_id}/hitlDetails")["hitl_details"]
        yield Finished(emulator, storage, states, in_flight, collector, questions)


def _until_all_are_over(lab, runs, emulator):
    states, in_flight, give_up_at = {}, 0, time.monotonic() + examples.RUN_TIMEOUT
    asked_at = {}
    while len([state for state in states.values() if state in ("success", "failed")]) < len(EXAMPLES):
        assert time.monotonic() < give_up_at, (states, lab.log_tail(5))
        new = lab.run_ids("example_veo_on_new_video")
        runs |= {"example_veo_on_new_video": new[0]} if new else {}
        states = {dag_id: lab.run_state(dag_id, run_id) for dag_id, run_id in runs.items()}
        approval = ("example_veo_approval", runs["example_veo_approval"])
        for task_id in lab.open_questions(*approval):
            if time.monotonic() > asked_at.setdefault(task_id, time.monotonic()) + BEFORE_AN_ANSWER:
                lab.answer(*approval, task_id, "Approve")
        now = time.time()
        sunrises = [job for job in emulator.jobs.all() if job.prompt.startswith("Sunrise")]
        in_flight = max(in_flight, sum(job.status(now) in ("queued", "processing") for job in sunrises))
        time.sleep(0.3)
    logs = {
        f"{dag_id} {task}": "\n".join(lab.log_lines(dag_id, run_id, task)[-40:])
        for dag_id, run_id in runs.items()
        for task, state in lab.task_states(dag_id, run_id).items()
        if state == "failed" and "[" not in task
    }
    assert not logs, "\n".join(map("\n".join, logs.items()))
    return states, in_flight


def test_metrics_reach_statsd(finished):
    counted = {name: value for name, value in finished.collector.counters.items() if name.startswith("veo.")}
    report, videos = finished.emulator.jobs.report(), examples.charged(finished.emulator.jobs)
    # the hook has ordered the video of the sensor example, without metrics
    assert counted["veo.submitted"] == counted["veo.completed"] == videos - 1
    assert counted["veo.estimated_cost_cents"] == round(report["charged_usd"] * 100) - 15
    assert counted["veo.stored_bytes"] == sum(path.stat().st_size for path in finished.stored)
    assert 0 < counted["veo.polls"] <= report["polls"]
    assert finished.collector.timers["veo.generation_seconds"] == videos - report["chat_videos"]
    assert [name for name in counted if name.startswith("veo.failed")] == []


def test_spans_are_part_of_their_tasks_traces(finished):
    traces = {}
    for span in finished.collector.spans:
        traces.setdefault(span.trace_id, Counter())[span.name] += 1
    ours = Counter(span.name for span in finished.collector.spans if span.name.startswith("veo."))
    report = finished.emulator.jobs.report()
    assert ours["veo.create_video"] == ours["veo.wait_for_video"] == report["orders"] - 1  # without the sensor example
    assert ours["veo.chat"] == report["chat_requests"]
    assert ours["veo.download_video"] > 0
    for names in traces.values():
        if any(name.startswith("veo.") for name in names):
            assert any(name.startswith("worker.") for name in names), names
    text = str(finished.collector.spans)
    assert "sk-examples" not in text
    assert "Sunrise" not in text


@pytest.mark.parametrize("dag_id", EXAMPLES)
def test_an_example_succeeds_and_stores_its_files(finished, dag_id):
    assert finished.states[dag_id] == "success"
    examples.check(EXAMPLES[dag_id], examples.files(EXAMPLES[dag_id], finished.storage))


def test_the_question_about_publishing_links_to_the_player(finished):
    bodies = {question["task_instance"]["task_id"]: question["body"] for question in finished.questions}
    link = "[Watch it](plugin/veo?dag_id=example_veo_approval&run_id="
    assert bodies["approve_publishing"].startswith(link)
    assert "&task_id=create_video&" in bodies["approve_publishing"]


def test_nothing_was_paid_twice(finished):
    ordered = sum(example.videos for example in EXAMPLES.values() if example.started_by is None)
    assert examples.charged(finished.emulator.jobs) == ordered


def test_the_pool_limits_the_jobs_in_flight(finished):
    assert 1 <= finished.in_flight <= POOL["slots"]


def test_every_clip_of_the_story_begins_with_the_last_frame_of_the_previous_clip(finished):
    clips = [path for path in examples.files(STORY, finished.storage) if path.name.startswith("scene_")]
    ends = [_ends(path) for path in clips if path.suffix == ".mp4"]
    assert len(ends) == 4
    for before, after in itertools.pairwise(ends):
        assert psnr(before[1], after[0]) > 35
        assert psnr(after[0], after[1]) < 35  # the clips move, so that the check can fail


def _ends(path):
    with av.open(io.BytesIO(path.read_bytes())) as container:
        pictures = container.decode(video=0)
        first = next(pictures)
        return first.to_image(), deque(pictures, maxlen=1)[0].to_image()


def test_the_joined_video_of_the_story_is_whole(finished):
    (video,) = [path for path in examples.files(STORY, finished.storage) if path.name == "story.mp4"]
    clips.check(video)  # FFmpeg reports no errors, not even about time stamps
    with av.open(str(video)) as container:
        lengths = [float(stream.duration * stream.time_base) for stream in container.streams]
    assert [stream for stream in lengths if abs(stream - 32) > 0.05] == []
    assert len(lengths) == 2
