"""The advice in an error about a retry and a clear is true for this Airflow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_veo import version_compat
from airflow_provider_veo.api.errors import (
    ApiError,
    ContentGoneError,
    InvalidInputError,
    NotOrderedError,
    NotSentError,
    Reason,
    StatusUnknownError,
    TransportError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_veo.orders import advice
from tests.unit.orders.samples import RECORD

OPEN = [
    TransportError("x", video_id="video_1"),
    VideoTimeoutError("x", video_id="video_1"),
    StatusUnknownError("x", Reason.SERVER, video_id="video_1"),
    StatusUnknownError("x", Reason.AUTHENTICATION, video_id="video_1"),
]
OVER = [
    TransportError("x"),
    StatusUnknownError("x", Reason.NOT_FOUND, video_id="video_1"),
    ContentGoneError("x", video_id="video_1"),
    NotOrderedError("x", video_id="video_1"),
]


FORGETS = {"AIRFLOW_V_3_3_PLUS": True, "AIRFLOW_V_3_4_PLUS": True, "CLEAR_KEEPS_TASK_STATE": False}
KEEPS = {"AIRFLOW_V_3_3_PLUS": True, "AIRFLOW_V_3_4_PLUS": False, "CLEAR_KEEPS_TASK_STATE": True}
OLD = {"AIRFLOW_V_3_3_PLUS": False, "AIRFLOW_V_3_4_PLUS": False, "CLEAR_KEEPS_TASK_STATE": False}

COLLECTS = "A retry or a clear of the task continues with video video_1 and orders nothing."
WITH_A_TICK = (
    "A retry of the task continues with video video_1 and orders nothing. So does a clear, with "
    '"Keep task state and resume" ticked; without the tick, a clear orders a new video, which is charged again.'
)
ON_CLEAR_NEW = (
    "VeoDownloadOperator(video_id='video_1') stores it. A retry of the task continues with video video_1 and orders "
    "nothing. A clear orders a new video, which is charged again, since on_clear is 'new'."
)
NOTHING_REMEMBERS = (
    "VeoDownloadOperator(video_id='video_1') stores it. Do not clear the task: this Airflow has no task state store "
    "(3.3 and later have), so a retry or a clear orders a new video."
)


@pytest.fixture
def use(monkeypatch):
    """Return a function that sets the version of Airflow and `[veo] storage`."""

    def use(flags, folder=""):
        for name, value in flags.items():
            monkeypatch.setattr(version_compat, name, value)
        monkeypatch.setattr(advice, "KEEPING_THE_STORE", ', with "Keep task state and resume" ticked')
        monkeypatch.setenv("AIRFLOW__VEO__STORAGE", folder)

    return use


@pytest.fixture(params=[(KEEPS, ""), (OLD, "/data"), (FORGETS, ""), (OLD, "")], ids=str)
def keeps_records(request, use):
    use(*request.param)
    return request.param != (OLD, "")


@pytest.mark.parametrize(
    ("flags", "folder", "on_clear", "said"),
    [
        (KEEPS, "", "collect", COLLECTS),
        (KEEPS, "/data", "collect", COLLECTS),
        (KEEPS, "/data", "new", ON_CLEAR_NEW),
        (FORGETS, "/data", "collect", COLLECTS),
        (FORGETS, "/data", "new", ON_CLEAR_NEW),
        (FORGETS, "", "collect", WITH_A_TICK),
        (FORGETS, "", "new", ON_CLEAR_NEW),
        (OLD, "/data", "collect", COLLECTS),
        (OLD, "/data", "new", ON_CLEAR_NEW),
        (OLD, "", "collect", NOTHING_REMEMBERS),
        (OLD, "", "new", NOTHING_REMEMBERS),
    ],
)
def test_the_way_to_a_paid_video_is_true_for_this_airflow_and_this_configuration(use, flags, folder, on_clear, said):
    use(flags, folder)
    assert advice.advise_on_job("video_1", on_clear) == said
    for error in OPEN:
        assert advice.advise_on_order(error, on_clear).endswith(said)


@pytest.mark.parametrize(
    ("flags", "folder", "needs_tick"), [(KEEPS, "", False), (FORGETS, "/data", False), (FORGETS, "", True)]
)
def test_a_clear_for_a_withheld_video_needs_a_tick_where_airflow_forgets(use, flags, folder, needs_tick):
    use(flags, folder)
    said = advice.advise_on_withheld(replace(RECORD, withheld_since=0.0))
    assert ("so does a clear of the task, with" in said) is needs_tick
    assert "orders another video only if it is refused again" in said


@pytest.mark.parametrize(
    ("flags", "on_clear", "said"), [(OLD, "collect", NOTHING_REMEMBERS), (KEEPS, "new", ON_CLEAR_NEW)]
)
def test_a_withheld_video_that_a_clear_does_not_collect_is_named(use, flags, on_clear, said):
    use(flags)
    withheld = replace(RECORD, withheld_since=0.0, video_id="video_1")
    assert (
        advice.advise_on_withheld(withheld, on_clear)
        == f"The server has refused it since 1970-01-01 00:00:00 UTC. {said}"
    )
    assert advice.advise_on_withheld(RECORD, on_clear) == ""


@pytest.mark.parametrize("error", OPEN, ids=repr)
def test_a_task_that_orders_nothing_can_ask_again(error):
    assert advice.advise_on_read(error).endswith("asks again, and orders nothing.")


@pytest.mark.parametrize("error", OVER, ids=repr)
def test_there_is_no_advice_about_a_job_that_has_ended(error, keeps_records):
    assert advice.advise_on_order(error) == advice.advise_on_read(error) == ""
    del keeps_records


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Reason.UNKNOWN, "a retry (max_submissions allowing) or a clear of the task orders another one."),
        (Reason.SERVER, "a retry (max_submissions allowing) or a clear of the task orders another one."),
        (Reason.MODERATION, "when that is corrected, a clear of the task orders another one."),
        (Reason.QUOTA, "when that is corrected, a clear of the task orders another one."),
    ],
)
def test_the_error_of_a_job_without_a_video_says_how_to_get_another_one(reason, said):
    error = VideoFailedError("video_1", "failed", reason, "x")
    assert advice.advise_on_order(error) == f"There is no video to collect: {said}"
    assert advice.advise_on_read(error) == ""


def test_a_retry_for_the_missing_videos_is_named_only_if_records_are_kept(keeps_records):
    assert ("orders the other 2 only" in advice.describe_rest(2)) is keeps_records


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NotSentError("x"), "x. Nothing was ordered: a retry or a clear of the task orders it."),
        (InvalidInputError("x"), "x. Nothing was ordered: when that is corrected, clear the task."),
        (NotOrderedError("Nothing was ordered."), "Nothing was ordered."),
    ],
)
def test_the_error_of_an_order_that_was_not_sent_says_so_once(error, said):
    advice.add_nothing_ordered(error)
    assert str(error) == said


def test_the_error_of_a_refused_order_says_that_nothing_was_ordered():
    error = ApiError("Creating the video failed", reason=Reason.QUOTA, status=402)
    advice.add_nothing_ordered(error)
    assert str(error).endswith("top it up. Nothing was ordered: when that is corrected, clear the task.")
