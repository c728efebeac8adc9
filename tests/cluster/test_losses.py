"""Machines are lost while three hundred videos are made, and nobody pays twice."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import httpx
import pytest
from machines import SLOTS, WORKERS

from airflow_provider_veo.api.mp4 import check_whole

VIDEOS = 300


@pytest.fixture(scope="module")
def made(cluster):
    """Make the videos; on the way a triggerer and a worker are killed, and not replaced."""
    run_id = cluster.lab.trigger("many")
    cluster.until("a third of the orders", lambda: sum(cluster.waiting().values()) >= VIDEOS / 3)
    lose_a_triggerer(cluster)
    cluster.until("all orders", lambda: cluster.states().get("deferred") == VIDEOS)
    cluster.hours_later(1)  # all videos are completed, and none can be fetched
    cluster.until("all workers to ask for videos", lambda: len(cluster.asked_for()) == SLOTS * len(WORKERS))
    lost = lose_a_worker(cluster)
    cluster.hours_later(2)
    cluster.until("the run to end", lambda: cluster.lab.run_state("many", run_id) in ("success", "failed"))
    return SimpleNamespace(run_id=run_id, lost=lost)


def lose_a_triggerer(cluster):
    """Kill the one that waits for more videos, while tasks order, and wait until the other one waits for all."""
    assert cluster.states()["deferred"] < VIDEOS
    waiting = {number: count for number, count in cluster.waiting().items() if number}
    lost = max(waiting, key=waiting.get)
    assert waiting[lost] >= VIDEOS / 8
    cluster.lab.kill(cluster.triggerers.pop(lost))
    cluster.until("the other triggerer", lambda: set(cluster.waiting()) == set(cluster.triggerers))


def lose_a_worker(cluster):
    """Kill a worker whose tasks store their videos, and return the indices of these.

    No task orders any more. One that dies between its order and the record of it would fail, by design, with the error
    that nobody knows whether a video was ordered; tests/system has that.
    """
    worker = cluster.workers.pop()
    lost = cluster.running_on(worker)
    cluster.lab.kill(worker)
    return lost


def test_all_videos_are_made(cluster, made):
    assert cluster.lab.run_state("many", made.run_id) == "success", cluster.story()
    assert cluster.states() == {"success": VIDEOS}


def test_each_is_paid_for_once(cluster, made):
    report = cluster.gateway.jobs.report()
    assert (report["orders"], report["charged"], report["cancelled"]) == (VIDEOS, VIDEOS, 0)
    assert len({job.prompt for job in cluster.gateway.jobs.charged()}) == VIDEOS


def test_each_is_a_whole_file_of_its_own(cluster, made):
    files = [path for path in cluster.storage.rglob("*") if path.is_file()]
    for path in files:
        with path.open("rb") as file:
            check_whole(file)
    assert len({hashlib.sha256(path.read_bytes()).hexdigest() for path in files}) == len(files) == VIDEOS


def test_the_worker_was_lost_in_the_middle_of_its_work(cluster, made):
    """Or the other tests would prove little."""
    assert len(made.lost) == SLOTS
    tries = dict(cluster.sql("select map_index, try_number from task_instance"))
    assert [index for index in made.lost if tries[index] < 2] == []


def test_nothing_is_left_waiting(cluster, made):
    assert cluster.waiting() == {}


def test_progress_reached_the_database_from_the_triggerers_and_from_the_workers(cluster, made):
    rows = cluster.sql("select value #>> '{}', count(*) from xcom where key = 'progress' group by 1")
    assert rows == [("completed 100 %", VIDEOS)]


def test_the_page_shows_them_from_postgresql(cluster, made):
    headers = {"Authorization": f"Bearer {cluster.lab.token(None)}"}
    with httpx.Client(base_url=f"{cluster.lab.url}/veo", headers=headers, trust_env=False, timeout=60) as page:
        totals = page.get("/api/summary").raise_for_status().json()["totals"]
        last = page.get("/api/generations?page=13&status=completed").raise_for_status().json()
    assert totals["completed"] == VIDEOS, totals
    assert (len(last["generations"]), last["more"]) == (VIDEOS % 24, False)
