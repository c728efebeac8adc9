from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from airflow_provider_veo.api.video import Video, VideoStatus
from airflow_provider_veo.triggers import progress as module
from airflow_provider_veo.triggers.progress import ProgressBoard
from airflow_provider_veo.utils.airflow_internals import progress_of


def ti(number):
    return SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=number)


@pytest.fixture
def published(mocker, monkeypatch):
    """Stand for Airflow's supervisor: what was written, in its order."""
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    written = []

    async def publish(ti, progress):
        if progress == "trouble":
            raise RuntimeError("the supervisor is away")
        written.append((ti.map_index, progress))

    mocker.patch.object(module, "publish_progress", publish)
    return written


async def test_each_in_turn_and_the_newest_value_only(published):
    board = ProgressBoard()
    for percent in range(5):
        for number in range(3):
            board.show(ti(number), percent)
    await board._publishing
    assert published == [(0, 4), (1, 4), (2, 4)]
    board.show(ti(1), 5)
    await board._publishing
    assert published[3:] == [(1, 5)]


async def test_what_is_over_is_not_published(published):
    board = ProgressBoard()
    board.show(ti(0), 1)
    board.show(ti(1), 1)
    board.forget(ti(1))
    board.forget(ti(2))
    await board._publishing
    assert published == [(0, 1)]


async def test_trouble_ends_nothing_and_is_told_once(published, caplog):
    board = ProgressBoard()
    for number in range(3):
        board.show(ti(number), "trouble")
    board.show(ti(3), 1)
    await board._publishing
    assert published == [(3, 1)]
    assert [record.levelname for record in caplog.records if "could not be published" in record.message] == ["WARNING"]


async def test_writes_keep_their_distance(published, monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 30.0)
    board = ProgressBoard()
    for number in range(100):
        board.show(ti(number), 1)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(published) == 1
    board._publishing.cancel()


async def test_without_a_triggerer_there_is_nobody_to_show_it_to(published):
    board = ProgressBoard()
    board.show(None, 1)
    board.forget(None)
    assert board._publishing is None


@pytest.mark.parametrize(
    ("word", "percent", "shown"),
    [("in_progress", 42.5, "in_progress 42.5 %"), ("queued", 0.0, "queued 0 %"), ("", None, "unknown")],
)
def test_what_is_shown(word, percent, shown):
    assert progress_of(Video("v", VideoStatus.UNKNOWN, word, percent)) == shown
