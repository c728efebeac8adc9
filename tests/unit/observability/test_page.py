"""The entries that operators leave for the Veo page: they hold no secret, and their loss costs no video."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from uuid import UUID

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_veo.api.backends.profiles import GENERIC
from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.video import Video, VideoStatus
from airflow_provider_veo.links.video import VeoVideoLink
from airflow_provider_veo.observability import page, summary
from airflow_provider_veo.observability.keys import ORDER_KEY, OUTCOME_KEY
from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.operators.media import VeoConcatOperator, VeoExtractFrameOperator
from airflow_provider_veo.plugins.veo import COLORS
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS

pytestmark = [
    pytest.mark.usefixtures("gateway"),
    pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="before Airflow 3.1 there is no Veo page"),
]

COMPLETED = Outcome(
    kind="completed",
    video_id="v",
    status="completed",
    url="https://x.example/a.mp4?signature=s3cret",
    created_at="2026-03-01T12:00:00Z",
    completed_at="2026-03-01T12:01:30Z",
)


@pytest.fixture
def written(mocker):
    """Return the entries that go to Airflow's API, by key."""
    found = {}
    mocker.patch.object(page, "write_xcom_past_backend", lambda _ti, key, entry: found.update({key: entry}))
    return found


def create(**arguments):
    return VeoCreateVideoOperator(**{"task_id": "create", "prompt": "a cat", "deferrable": True, **arguments})


def test_a_deferred_task_has_an_order_entry(mocker, context, written):
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


def test_the_entry_is_written_before_the_order(mocker, context, written):
    """The page must show an order whose worker dies."""

    def order(*_):
        assert ORDER_KEY in written
        return Video("v", VideoStatus.QUEUED, "queued")

    mocker.patch.object(VeoClient, "create_video", side_effect=order)
    with pytest.raises(TaskDeferred):
        create().execute(context)


def test_the_outcome_entry_of_a_video_has_no_signed_address(context, written):
    create().execute_complete(context, COMPLETED.to_event())
    assert written[OUTCOME_KEY]["videos"] == ["v"]
    assert written[OUTCOME_KEY]["generation_seconds"] == 90.0
    assert written[OUTCOME_KEY]["path"] is None
    assert "s3cret" not in json.dumps(written)


def test_the_outcome_entry_has_the_reason_of_a_failure(context, written):
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


def test_wrong_input_has_an_outcome_entry_and_no_order_entry(context, written):
    clip = create(prompt="{{ params.prompt }}")
    clip.prompt = ""  # the rendered template
    with pytest.raises(AirflowFailException):
        clip.execute(context)
    assert "prompt is ''" in written[OUTCOME_KEY]["error"]
    assert ORDER_KEY not in written


def test_an_entry_that_cannot_be_written_costs_no_video(mocker, context, caplog):
    mocker.patch.object(page, "write_xcom_past_backend", side_effect=RuntimeError("the API server is away"))
    assert create().execute_complete(context, COMPLETED.to_event())["status"] == "completed"
    assert "the Veo page shows less of this task" in caplog.text


def test_characters_that_a_database_refuses_are_replaced():
    assert page.describe_order("a\0b", "m", GENERIC)["prompt"] == "a\ufffdb"
    assert len(page.describe_order("p" * 20_000, "m", GENERIC)["prompt"]) == 10_000


def test_secrets_that_airflow_knows_are_masked(context, written):
    from airflow.sdk.log import mask_secret

    mask_secret("hunter2hunter2")
    assert "hunter2" not in page.describe_order("a cat types hunter2hunter2", "m", GENERIC)["prompt"]
    with pytest.raises(ValueError), summary.reporting_failures(context["ti"]):
        raise ValueError("the password hunter2hunter2 was refused")
    assert "hunter2" not in written[OUTCOME_KEY]["error"]
    stored = {"path": "/opt/hunter2hunter2/a.mp4", "bytes": 1, "sha256": "0"}
    assert page.describe_file(stored, None)["path"] == stored["path"]


def test_the_name_of_an_address_is_a_hash():
    name = page.name_of_url("https://x.example/a.mp4?signature=s")
    assert name.startswith("url-")
    assert "example" not in name
    assert name != page.name_of_url("https://x.example/b.mp4?signature=s")


EVERY_OPERATOR = (
    VeoCreateVideoOperator,
    VeoDownloadOperator,
    VeoChatCompletionOperator,
    VeoExtractFrameOperator,
    VeoConcatOperator,
)


@pytest.mark.parametrize("operator", EVERY_OPERATOR)
def test_every_operator_has_the_link(operator):
    assert [link.name for link in operator.operator_extra_links] == ["Video"]
    assert operator.ui_color in COLORS


def test_the_link_names_the_try(context):
    ti = context["ti"]
    ti.run_id, ti.map_index, ti.try_number = "manual__2026-03-01T12:00:00+00:00", 7, 3
    assert VeoVideoLink().get_link(create(), ti_key=ti) == (
        "plugin/veo?dag_id=d&run_id=manual__2026-03-01T12%3A00%3A00%2B00%3A00&task_id=t&map_index=7&try_number=3"
    )


def test_the_link_names_the_place_in_a_loop():
    place = {"region_id": UUID("0199a4b0-0000-7000-8000-000000000001"), "region_index": 2}
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1, **place)
    assert (
        VeoVideoLink()
        .get_link(create(), ti_key=ti)
        .endswith("&map_index=-1&try_number=1&region_id=0199a4b0-0000-7000-8000-000000000001&region_index=2")
    )
