"""What operators leave for the page: records in XCom that hold no secret and cost no video."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.polling.decision import Outcome
from airflow_provider_veo.api.video import Video, VideoStatus
from airflow_provider_veo.links.video import VeoVideoLink
from airflow_provider_veo.observability import page, summary
from airflow_provider_veo.observability.page import ORDER_KEY, OUTCOME_KEY, PAGE_EXISTS
from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.operators.media import VeoConcatOperator, VeoExtractFrameOperator
from airflow_provider_veo.plugins.veo import OPERATORS

pytestmark = pytest.mark.skipif(not PAGE_EXISTS, reason="before Airflow 3.1 there is no page to leave records for")

COMPLETED = Outcome(
    kind="completed",
    video_id="v",
    status="completed",
    url="https://x.example/a.mp4?signature=s3cret",
    created_at="2026-03-01T12:00:00Z",
    completed_at="2026-03-01T12:01:30Z",
)


@pytest.fixture(autouse=True)
def connection(monkeypatch):
    value = {"conn_type": "veo", "host": "https://api.example.com", "password": "sk-canary"}
    monkeypatch.setenv("AIRFLOW_CONN_VEO_DEFAULT", json.dumps(value))


@pytest.fixture
def written(mocker):
    """Return what goes to Airflow's API, by key."""
    found = {}
    mocker.patch.object(page, "_write", lambda _ti, key, record: found.update({key: record}))
    return found


def create(**arguments):
    return VeoCreateVideoOperator(**{"task_id": "create", "prompt": "a cat", "deferrable": True, **arguments})


def test_an_order_is_on_record_while_the_task_is_deferred(mocker, context, written):
    mocker.patch.object(VeoClient, "create_video", return_value=Video("v", VideoStatus.QUEUED, "queued"))
    with pytest.raises(TaskDeferred):
        create(prompt="一只猫", model="veo-3.1-landscape").execute(context)
    assert written == {
        ORDER_KEY: {
            "prompt": "一只猫",
            "model": "veo-3.1-landscape",
            "size": "1280x720",
            "videos": 1,
            "estimated_cost_usd": 0.25,
        }
    }


def test_the_record_comes_before_the_order(mocker, context, written):
    """Or a generation whose worker died at the order would be nowhere to be seen."""

    def order(*_):
        assert ORDER_KEY in written
        return Video("v", VideoStatus.QUEUED, "queued")

    mocker.patch.object(VeoClient, "create_video", side_effect=order)
    with pytest.raises(TaskDeferred):
        create().execute(context)


def test_the_outcome_of_a_video(context, written):
    create().execute_complete(context, COMPLETED.to_event())
    assert written[OUTCOME_KEY]["videos"] == ["v"]
    assert written[OUTCOME_KEY]["generation_seconds"] == 90.0
    assert written[OUTCOME_KEY]["path"] is None
    assert "s3cret" not in json.dumps(written)


def test_why_a_task_fails_is_on_record(context, written):
    failed = replace(COMPLETED, kind="failed", status="failed", message="no cats today")
    with pytest.raises(Exception, match="no cats today"):
        create().execute_complete(context, failed.to_event())
    assert written[OUTCOME_KEY] == {
        "error": (
            "Video v failed: no cats today. There is no video to collect: a retry (max_submissions allowing) or a "
            "clear of the task orders another one. (connection 'veo_default'; https://api.example.com)"
        ),
        "reason": "unknown",
    }


def test_bad_input_is_on_record_and_is_no_generation(context, written):
    clip = create(prompt="{{ params.prompt }}")
    clip.prompt = ""  # as the template is rendered to
    with pytest.raises(AirflowFailException):
        clip.execute(context)
    assert "prompt is ''" in written[OUTCOME_KEY]["error"]
    assert ORDER_KEY not in written


def test_a_record_that_cannot_be_written_costs_no_video(mocker, context, caplog):
    mocker.patch.object(page, "_write", side_effect=RuntimeError("the API server is away"))
    assert create().execute_complete(context, COMPLETED.to_event())["status"] == "completed"
    assert "the Veo page knows less of this task" in caplog.text


def test_what_a_database_cannot_take_is_replaced():
    assert page.order("a\0b", "m")["prompt"] == "a\ufffdb"
    assert len(page.order("p" * 20_000, "m")["prompt"]) == 10_000


def test_secrets_that_airflow_knows_are_masked(context, written):
    from airflow.sdk.log import mask_secret

    mask_secret("hunter2hunter2")
    assert "hunter2" not in page.order("a cat types hunter2hunter2", "m")["prompt"]
    with pytest.raises(ValueError), summary.failures_reported(context):
        raise ValueError("the password hunter2hunter2 was refused")
    assert "hunter2" not in written[OUTCOME_KEY]["error"]
    stored = {"path": "/opt/hunter2hunter2/a.mp4", "bytes": 1, "sha256": "0"}
    assert page.stored(stored, None)["path"] == stored["path"]


def test_an_address_is_named_by_its_hash():
    name = page.reference("https://x.example/a.mp4?signature=s")
    assert name.startswith("url-")
    assert "example" not in name
    assert name != page.reference("https://x.example/b.mp4?signature=s")


EVERY_OPERATOR = (
    VeoCreateVideoOperator,
    VeoDownloadOperator,
    VeoChatCompletionOperator,
    VeoExtractFrameOperator,
    VeoConcatOperator,
)


@pytest.mark.parametrize("operator", EVERY_OPERATOR)
def test_every_task_of_ours_has_the_link(operator):
    assert [link.name for link in operator.operator_extra_links] == ["Video"]
    assert operator.__name__ in OPERATORS


def test_the_link_names_the_very_try(context):
    ti = context["ti"]
    ti.run_id, ti.map_index, ti.try_number = "manual__2026-03-01T12:00:00+00:00", 7, 3
    assert VeoVideoLink().get_link(create(), ti_key=ti) == (
        "plugin/veo?dag_id=d&run_id=manual__2026-03-01T12%3A00%3A00%2B00%3A00&task_id=t&map_index=7&try_number=3"
    )
