"""The publishing of progress, and its text."""

from __future__ import annotations

import asyncio
import contextvars
from types import SimpleNamespace
from uuid import UUID

import pytest

from airflow_provider_veo.api.video import Video, VideoStatus
from airflow_provider_veo.observability.progress import format_progress_of
from airflow_provider_veo.triggers import progress as module
from airflow_provider_veo.triggers.progress import ProgressPublisher


def ti(number):
    return SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=number)


@pytest.fixture
def published(mocker, monkeypatch):
    """Replace Airflow's supervisor, and return the texts that were written, in their order."""
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    written = []

    async def push(ti, key, progress):
        assert key == "progress"
        if progress == "trouble":
            raise RuntimeError("the supervisor is away")
        written.append((ti.map_index, progress))

    mocker.patch.object(module, "push_xcom_from_trigger", push)
    return written


async def test_tasks_take_turns_with_their_latest_text(published):
    publisher = ProgressPublisher()
    for percent in range(5):
        for number in range(3):
            publisher.publish(ti(number), percent)
    await publisher._publishing
    assert published == [(0, 4), (1, 4), (2, 4)]
    publisher.publish(ti(1), 5)
    await publisher._publishing
    assert published[3:] == [(1, 5)]


async def test_the_text_of_a_task_that_no_longer_waits_is_not_published(published):
    publisher = ProgressPublisher()
    publisher.publish(ti(0), 1)
    publisher.publish(ti(1), 1)
    publisher.forget(ti(1))
    publisher.forget(ti(2))
    await publisher._publishing
    assert published == [(0, 1)]


async def test_each_pass_of_a_loop_has_its_own_text(published):
    publisher = ProgressPublisher()
    for index in range(2):
        one = ti(-1)
        one.region_id, one.region_index = UUID("0199a4b0-0000-7000-8000-000000000001"), index
        publisher.publish(one, index)
    await publisher._publishing
    assert published == [(-1, 0), (-1, 1)]


async def test_each_text_is_written_in_the_context_of_its_trigger(mocker, monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    trigger = contextvars.ContextVar("trigger", default=None)
    written = []

    async def push(ti, key, progress):
        written.append((ti.map_index, trigger.get()))

    mocker.patch.object(module, "push_xcom_from_trigger", push)
    publisher = ProgressPublisher()

    async def run_trigger(number):
        trigger.set(number)
        publisher.publish(ti(number), "processing")

    await asyncio.gather(*(run_trigger(number) for number in range(3)))
    await publisher._publishing
    assert written == [(0, 0), (1, 1), (2, 2)]


async def test_failures_are_logged_once_and_do_not_end_the_publishing(published, caplog):
    publisher = ProgressPublisher()
    for number in range(3):
        publisher.publish(ti(number), "trouble")
    publisher.publish(ti(3), 1)
    await publisher._publishing
    assert published == [(3, 1)]
    assert [record.levelname for record in caplog.records if "could not be published" in record.message] == ["WARNING"]


async def test_there_is_a_pause_between_two_writes(published, monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 30.0)
    publisher = ProgressPublisher()
    for number in range(100):
        publisher.publish(ti(number), 1)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(published) == 1
    publisher._publishing.cancel()


async def test_without_a_triggerer_nothing_is_published(published):
    publisher = ProgressPublisher()
    publisher.publish(None, 1)
    publisher.forget(None)
    assert publisher._publishing is None


@pytest.mark.parametrize(
    ("word", "percent", "shown"),
    [("in_progress", 42.5, "in_progress 42.5 %"), ("queued", 0.0, "queued 0 %"), ("", None, "unknown")],
)
def test_the_text_has_the_status_word_and_the_percentage(word, percent, shown):
    assert format_progress_of(Video("v", VideoStatus.UNKNOWN, word, percent)) == shown
