"""The JSON that the page shows, without database and browser."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.observability.progress import format_progress
from airflow_provider_veo.ui import views
from airflow_provider_veo.ui.roots import Place
from airflow_provider_veo.ui.views import Group, StoredFile, TaskKey, TaskRow, add_up, find_orientation, show_progress

AT = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
LATER = AT + timedelta(seconds=5)
KEY = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1}
STORED = {"path": "/v/a.mp4", "bytes": 10, "sha256": "0" * 64, "media_type": "video/mp4", "proof": "1" * 64}


def task(state="success", order=None, outcome=None, progress=None):
    return TaskRow(
        **KEY,
        try_number=2,
        state=state,
        started_at=AT,
        ended_at=AT,
        order=order,
        ordered_at=AT if order else None,
        outcome=outcome,
        progress=progress,
    )


def show(row, stored_by):
    return views.show_task(row, stored_by, (Place.of("/v"),))


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("success", "completed"),
        ("failed", "failed"),
        ("upstream_failed", "failed"),
        ("skipped", "failed"),
        ("deferred", "in_progress"),
        ("up_for_retry", "in_progress"),
        (None, "in_progress"),
    ],
)
def test_each_state_has_a_status(state, status):
    assert task(state).status == status


ORDER = {"prompt": "p", "model": "m", "size": "1x2", "videos": 1, "estimated_cost_usd": 0.25}
NO_REGION = {"region_id": None, "region_index": None}
NOTHING_YET = dict.fromkeys(("ended_at", "generation_seconds", "path", "error", "uncollected"))


def test_a_task_in_progress_is_shown_with_its_order_and_its_progress():
    running = task("deferred", ORDER, progress="processing 30 %")
    assert show(replace(running, ordered_at=LATER), {}) == KEY | NO_REGION | NOTHING_YET | {
        "pass_index": None,
        "try_number": 2,
        "latest_try": 2,
        "state": "deferred",
        "status": "in_progress",
        "progress": {"text": "processing", "percent": 30.0},
        "prompt": "p",
        "model": "m",
        "size": "1x2",
        "orientation": "portrait",
        "started_at": "2026-03-01T12:00:00+00:00",
        "ordered_at": "2026-03-01T12:00:05+00:00",
        "estimated_cost_usd": 0.25,
        "media": [],
    }


def test_an_ended_task_is_shown_with_its_outcome():
    shown = show(task(order=ORDER, outcome=STORED | {"generation_seconds": 61.5}), {})
    assert (shown["generation_seconds"], shown["path"], shown["error"]) == (61.5, "/v/a.mp4", None)
    shown = show(task("failed", ORDER, {"error": "no cats", "uncollected": "video_7"}), {})
    assert (shown["error"], shown["uncollected"]) == ("no cats", "video_7")


def test_a_running_task_has_no_end_yet():
    assert show(task("deferred"), {})["ended_at"] is None
    assert show(task("success"), {})["ended_at"] == "2026-03-01T12:00:00+00:00"


def test_the_facts_of_the_outcome_replace_those_of_the_order():
    shown = show(task(order=ORDER, outcome={"size": "1280x720", "estimated_cost_usd": None}), {})
    assert (shown["size"], shown["orientation"], shown["estimated_cost_usd"]) == ("1280x720", "landscape", None)
    assert show(task(order=ORDER), {})["estimated_cost_usd"] == 0.25


def test_a_task_without_entries_is_shown_with_the_facts_of_airflow():
    shown = show(task("failed"), {})
    assert (shown["task_id"], shown["status"], shown["prompt"], shown["media"]) == ("t", "failed", None, [])


def test_the_file_of_the_task_itself_comes_before_files_of_other_tasks():
    own = KEY | NO_REGION | {"try_number": None, "media_type": "video/mp4", "bytes": 10, "why_not": None}
    other = StoredFile(TaskKey(**KEY | {"task_id": "download"}), STORED)
    stored_by = {("d", "r", "v"): other, ("d", "another run", "w"): other}
    assert show(task(outcome={"videos": ["v"]} | STORED), stored_by)["media"] == [own]
    assert show(task(outcome={"videos": ["v", "w"]}), stored_by)["media"] == [own | {"task_id": "download"}]
    assert show(task(outcome={"videos": ["v"]}), {})["media"] == []


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), st.lists, max_leaves=3))
def test_values_of_a_wrong_type_count_as_unknown(value):
    names = ("prompt", "model", "size", "error", "path", "bytes", "media_type", "generation_seconds", "videos")
    shown = show(task(order=dict.fromkeys(names, value), outcome=dict.fromkeys(names, value)), {})
    for name in ("prompt", "model", "size", "error", "path"):
        assert shown[name] is None or isinstance(shown[name], str)
    for name in ("generation_seconds", "estimated_cost_usd"):
        assert shown[name] is None or isinstance(shown[name], (int, float))
    assert all(isinstance(one["media_type"], str) for one in shown["media"])


@pytest.mark.parametrize("records", [{"videos": None}, {"videos": [1, None]}, {"videos": "v"}])
def test_a_list_of_videos_of_a_wrong_type_is_ignored(records):
    assert all(isinstance(name, str) for _, _, name in task(outcome=records).videos)


@pytest.mark.parametrize(("percent", "shown"), [(100, 100.0), (101, None), (1000, None)])
def test_progress_beyond_the_end_is_not_shown(percent, shown):
    read = show_progress(task("deferred", progress=f"processing {percent} %"))
    assert read == {"text": "processing", "percent": shown}


def test_names_that_no_server_gives_are_ignored():
    longest = "x" * 200
    names = ["", longest, f"{longest}x", "a NUL \0"]
    assert [name for _, _, name in task(outcome={"videos": names}).videos] == [longest]


@pytest.mark.parametrize(("number", "shown"), [(2**53 - 1, 2**53 - 1), (2**53, None), (-(2**53), None), (True, None)])
def test_numbers_that_a_browser_cannot_count_are_not_shown(number, shown):
    assert show(task(outcome=STORED | {"generation_seconds": number}), {})["generation_seconds"] == shown


@pytest.mark.parametrize("missing", ["path", "media_type", "bytes"])
def test_a_file_is_playable_only_if_all_its_facts_are_known(missing):
    assert StoredFile(TaskKey(**KEY), STORED).is_playable
    assert not StoredFile(TaskKey(**KEY), STORED | {missing: None}).is_playable
    assert not StoredFile(TaskKey(**KEY), {"error": "no"}).is_playable


def test_a_file_that_the_page_does_not_play_is_shown_with_the_reason():
    stored, roots = StoredFile(TaskKey(**KEY), STORED), (Place.of("/v"),)
    without_proof = replace(stored, outcome=STORED | {"proof": None})
    assert stored.show(roots)["why_not"] is None
    assert stored.show(())["why_not"].startswith("This page plays nothing as long as")
    assert without_proof.show(())["why_not"] == stored.show(())["why_not"]
    assert without_proof.show(roots)["why_not"] == (
        "This page cannot play the file: its entry holds no proof that the task has stored the file. An older "
        "version of the provider has written the entry, or a user. Run the task again to play the file here."
    )


@given(
    st.text(alphabet=st.characters(blacklist_categories=("Cs", "Cc", "Cf")), max_size=30), st.floats(0, 100) | st.none()
)
def test_progress_is_read_as_it_was_written(status, percent):
    text = format_progress(status, percent)
    read = show_progress(task("deferred", progress=text))
    if percent is not None and "e" not in f"{percent:g}":
        assert read == {"text": status or None, "percent": float(f"{percent:g}")}
    elif percent is None and not status.endswith(" %"):
        assert read == {"text": status or None, "percent": None}


@pytest.mark.parametrize(
    ("value", "text"), [(None, None), (7, None), ({"a": 1}, None), ("", None), ("no percentage %", "no percentage %")]
)
def test_progress_of_another_form_is_shown_without_a_percentage(value, text):
    assert show_progress(task("deferred", progress=value)) == {"text": text, "percent": None}


def test_a_task_that_has_ended_has_no_progress():
    assert show_progress(task("success", progress="completed 100 %")) is None


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("1280x720", "landscape"),
        ("720x1280", "portrait"),
        ("5x5", "square"),
        ("wide", None),
        ("1x" + "9" * 5000, None),
        (None, None),
    ],
)
def test_a_size_has_an_orientation(size, expected):
    assert find_orientation(size) == expected


def test_groups_are_added_up():
    groups = [
        Group("d", "m", "completed", tasks=3, videos=4, cost=0.6, seconds=120.0, timed=2),
        Group("e", "m", "completed", tasks=1, videos=1, cost=0.25004, seconds=30.0, timed=1),
        Group("d", "m", "failed", tasks=1, videos=1, cost=0.0, seconds=0.0, timed=0),
        Group("d", None, "in_progress", tasks=2, videos=2, cost=9.0, seconds=9.0, timed=1),
    ]
    assert add_up(groups) == {
        "tasks": 7,
        "in_progress": 2,
        "completed": 4,
        "failed": 1,
        "videos": 5,
        "success_rate": 0.8,
        "estimated_cost_usd": 0.85,
        "mean_generation_seconds": 50.0,
    }


def test_a_group_is_made_of_the_texts_in_entries():
    assert Group.of(3, "d", "m", "completed", "2", "0.3", "60.0") == Group(
        "d", "m", "completed", tasks=3, videos=6, cost=pytest.approx(0.9), seconds=180.0, timed=3
    )
    assert Group.of(3, "d", None, "failed", None, None, None) == Group("d", None, "failed", 3, 3, 0.0, 0.0, 0)


def test_a_time_of_zero_is_known_and_an_absurd_time_is_not():
    assert Group.of(3, "d", "m", "completed", "1", "0", "0").timed == 3
    assert Group.of(3, "d", "m", "completed", "1", "0", "1e9").timed == 0


@given(st.text() | st.sampled_from(["nan", "inf", "-1", "1e400", "{}", "[1]"]) | st.integers().map(str))
def test_texts_that_are_not_numbers_do_not_spoil_the_sums(text):
    groups = [Group.of(1, "d", "m", "completed", text, text, text), Group.of(1, "d", "m", "completed", "1", "1", "1")]
    for value in add_up(groups).values():
        assert 0 <= value < 1e12


def test_the_rates_and_means_of_nothing_are_none():
    nothing = add_up([])
    assert (nothing["tasks"], nothing["success_rate"], nothing["mean_generation_seconds"]) == (0, None, None)
