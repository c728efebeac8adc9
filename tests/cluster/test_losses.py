"""Machines are lost while three hundred videos are made, and each video is paid for once."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import httpx
import pytest

from airflow_provider_veo.api.formats.mp4 import check_whole
from tests.cluster.airflow_cluster import SLOTS, VIDEOS, WORKERS
from tests.support.airflow_version import TASK_INSTANCES, XCOMS


@pytest.fixture(scope="module")
def made(cluster):
    """Make the videos; on the way a triggerer and a worker are killed, and not replaced."""
    cluster.lab.trigger("many")
    cluster.wait_until("a third of the orders", lambda: sum(cluster.waiting().values()) >= VIDEOS / 3)
    orders, lost_videos = cluster.gateway.jobs.counters.orders, cluster.lose_triggerer()
    cluster.wait_until("all orders", lambda: cluster.states().get("deferred") == VIDEOS)
    cluster.wait_until("progress of all", lambda: len(progress(cluster)) == VIDEOS)
    progress_while_waiting = progress(cluster)
    cluster.hours_later(1)  # all videos are completed, and none can be fetched
    cluster.wait_until("all workers to ask for videos", lambda: len(cluster.asked_for()) == SLOTS * len(WORKERS))
    # no task orders any more: a task that died between its order and its record would fail, by design, with an unknown
    # order; tests/system covers this case
    lost_tasks = cluster.lose_worker()
    cluster.hours_later(2)
    cluster.wait_until("the run to end", lambda: cluster.run_state() in ("success", "failed"))
    return SimpleNamespace(
        orders_before=orders,
        lost_videos=lost_videos,
        lost_tasks=lost_tasks,
        progress_while_waiting=progress_while_waiting,
    )


def progress(cluster):
    """Return the progress of each video, as the UI shows it."""
    return [text for (text,) in cluster.sql(f"select value #>> '{{}}' from {XCOMS} where key = 'progress'")]


def test_all_videos_are_made(cluster, made):
    assert cluster.run_state() == "success", cluster.story()
    assert cluster.states() == {"success": VIDEOS}


def test_each_video_is_paid_for_once(cluster, made):
    report = cluster.gateway.jobs.report()
    assert (report["orders"], report["charged"], report["cancelled"]) == (VIDEOS, VIDEOS, 0)
    assert len({job.prompt for job in cluster.gateway.jobs.charged()}) == VIDEOS


def test_each_video_is_a_whole_file(cluster, made):
    files = [path for path in cluster.storage.rglob("*") if path.is_file()]
    for path in files:
        with path.open("rb") as file:
            check_whole(file)
    assert len({hashlib.sha256(path.read_bytes()).hexdigest() for path in files}) == len(files) == VIDEOS


def test_machines_were_lost_while_videos_were_made(cluster, made):
    """The other tests prove little if the losses came before or after the work."""
    assert made.lost_videos >= VIDEOS / 8
    assert made.orders_before < VIDEOS
    assert len(made.lost_tasks) == SLOTS
    tries = dict(cluster.sql(f"select map_index, try_number from {TASK_INSTANCES}"))
    assert [index for index in made.lost_tasks if tries[index] < 2] == []


def test_no_task_is_left_waiting(cluster, made):
    assert cluster.waiting() == {}


def test_triggerers_publish_progress_and_workers_publish_the_last_one(cluster, made):
    assert len(made.progress_while_waiting) == VIDEOS
    assert "completed 100 %" not in made.progress_while_waiting
    assert progress(cluster) == ["completed 100 %"] * VIDEOS


def test_the_page_reads_all_videos_from_postgresql(cluster, made):
    headers = {"Authorization": f"Bearer {cluster.lab.token(None)}"}
    with httpx.Client(base_url=f"{cluster.lab.url}/veo", headers=headers, trust_env=False, timeout=60) as page:
        totals = page.get("/api/summary").raise_for_status().json()["totals"]
        last = page.get("/api/tasks?page=13&status=completed").raise_for_status().json()
    assert totals["completed"] == VIDEOS, totals
    assert (len(last["tasks"]), last["more"]) == (VIDEOS % 24, False)
