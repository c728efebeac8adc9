"""One call of a task by Airflow: its identity, its store and its reports."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from airflow_provider_veo.api.polling.decision import News
from airflow_provider_veo.api.video import Video, VideoStatus
from airflow_provider_veo.observability import metrics, page
from airflow_provider_veo.tasks.run import TaskRun

log = logging.getLogger(__name__)


def test_a_run_has_the_identity_and_the_store_of_its_context(context):
    context |= {"dag_run": SimpleNamespace(clear_number=4), "task": SimpleNamespace(retries=2)}
    run = TaskRun(context, log)
    assert (run.identity.task_id, run.identity.clear_number, run.identity.retries) == ("t", 4, 2)
    assert run.store.is_there
    assert run.store.read() is None


def test_a_run_before_airflow_3_3_has_no_store(context):
    del context["task_state_store"]
    assert not TaskRun(context, log).store.is_there


@pytest.mark.parametrize(("map_index", "is_mapped"), [(-1, False), (0, True), (7, True)])
def test_a_mapped_task_instance_is_recognised(context, map_index, is_mapped):
    context["ti"].map_index = map_index
    assert TaskRun(context, log).is_mapped is is_mapped


def test_news_are_logged_and_their_progress_is_shown(context, caplog):
    caplog.set_level(logging.INFO)
    run = TaskRun(context, log)
    run.report_news(News("Video v: processing 42 %", Video("v", VideoStatus.RUNNING, "processing", progress=42.0)))
    run.report_news(News("The server does not answer"))
    assert caplog.messages == ["Video v: processing 42 %", "The server does not answer"]
    assert context["ti"].xcoms == {"progress": "processing 42 %"}


def test_progress_that_cannot_be_shown_is_logged(context, caplog):
    def fail(**_):
        raise RuntimeError("the API server is away")

    context["ti"].xcom_push = fail
    TaskRun(context, log).show_progress("processing")
    assert "The progress of the video could not be published" in caplog.text


def test_a_run_without_a_task_instance_shows_nothing():
    run = TaskRun({}, log)
    run.show_progress("processing")
    run.report_order({"prompt": "p"})
    run.report_outcome({})
    assert run.ti is None
    assert not run.is_mapped


@pytest.mark.parametrize("on_page", [True, False])
def test_an_outcome_is_on_the_page_only_if_the_page_shows_the_task(context, mocker, on_page):
    publish = mocker.patch.object(page, "publish_outcome")
    send = mocker.patch.object(metrics, "send")
    TaskRun(context, log, on_page=on_page).report_outcome({"videos": ["v"]})
    assert publish.call_count == on_page
    assert send.call_count == 1


@pytest.mark.parametrize("on_page", [True, False])
def test_a_failure_is_reported_once_and_raised(context, mocker, on_page):
    publish = mocker.patch.object(page, "publish_outcome")
    with (
        pytest.raises(ValueError, match="wrong"),
        TaskRun(context, log, on_page=on_page).reporting_failures(),
    ):
        raise ValueError("wrong")
    assert publish.call_count == on_page
