"""Entries in which one leaf at a time is an odd value: the page answers with JSON for each of them."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from airflow_provider_veo.api.backends.profiles import VEO_GATEWAY
from airflow_provider_veo.observability import page
from airflow_provider_veo.ui import json_columns
from airflow_provider_veo.ui.roots import Place, explain_refusal
from airflow_provider_veo.ui.views import Group, StoredFile, TaskKey, TaskRow, add_up, show_task
from tests.support.odd_values import ODD_VALUES, name_of, with_odd_leaves

AT = datetime(2026, 3, 1, tzinfo=timezone.utc)
KEY = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1}
FILE = {"path": "/v/a.mp4", "bytes": 10, "sha256": "0" * 64, "proof": "1" * 64, "media_type": "video/mp4"}
ORDER = page.describe_order("a cat", "veo-3.1-fast", VEO_GATEWAY, "1280x720")
OUTCOMES = {
    "of a create task": {"videos": ["v", "w"], "generation_seconds": 61.5, "estimated_cost_usd": 0.15, **FILE},
    "of a chat task": {"videos": ["url-1", "url-2"], "model": "m", "submissions": 1, "estimated_cost_usd": 0.3},
    "of a download task": {"of": "v", **FILE},
    "of a failed task": {"error": "no cats today", "reason": "moderation"},
}
PROGRESS = "processing 42 %"
ROOTS = (Place.of("/v"), Place.of("s3://c@bucket/videos"))


def shown(state, order, outcome, progress):
    """Return a task as the page shows it, from JSON as Python writes it, with NaN and half characters."""
    order, outcome, progress = (json.dumps(one) for one in (order, outcome, progress))
    task = TaskRow(
        **KEY,
        try_number=1,
        state=state,
        started_at=AT,
        ended_at=AT,
        order=json_columns.parse_entry(order),
        ordered_at=AT,
        outcome=json_columns.parse_entry(outcome),
        progress=json_columns.parse_json(progress),
    )
    stored_by = {
        ("d", "r", name): StoredFile(TaskKey(**KEY), json_columns.parse_entry(outcome) or {}) for name in ("v", "w")
    }
    stored_by = {name: stored for name, stored in stored_by.items() if stored.is_playable}
    return show_task(task, stored_by, ROOTS)


def check(value):
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def test_odd_orders_outcomes_and_progress_are_shown_as_json(capsys):
    count = 0
    bodies = {"the order": ORDER, "the progress": PROGRESS} | OUTCOMES
    for name, body in bodies.items():
        for _place, _odd, copy in with_odd_leaves(body):
            order = copy if name == "the order" else ORDER
            progress = copy if name == "the progress" else PROGRESS
            outcome = copy if name in OUTCOMES else OUTCOMES["of a create task"]
            for state in ("success", "deferred") if name == "the progress" else ("success",):
                check(shown(state, order, outcome, progress))
                count += 1
    with capsys.disabled():
        print(f"\nrecords of the page: {count} odd ones in {len(bodies)} readers")  # noqa: T201
    assert count > 1000


def test_odd_figures_do_not_spoil_the_sums():
    for odd in ODD_VALUES:
        texts = (odd, None if odd is None else str(odd)[:200])
        groups = [Group.of(3, "d", None, "completed", text, text, text) for text in texts]
        check(add_up([*groups, Group.of(1, "d", "m", "completed", "1", "0.1", "60")]))


@pytest.mark.parametrize("odd", [value for value in ODD_VALUES if isinstance(value, str)], ids=name_of)
def test_odd_paths_are_explained_or_allowed(odd):
    for path in (odd, f"/v/{odd}", f"s3://bucket/videos/{odd}", f"s3://{odd}/a.mp4", f"{odd}://bucket/a.mp4"):
        why = explain_refusal(path, ROOTS)
        assert why is None or isinstance(why, str)


def test_published_entries_can_be_stored_in_every_database(mocker, context):
    written = []
    mocker.patch.object(page, "write_xcom_past_backend", lambda _ti, _key, record: written.append(record))
    for body in (ORDER, *OUTCOMES.values()):
        for _place, _odd, copy in with_odd_leaves(body):
            if isinstance(copy, dict):
                page.publish_outcome(context["ti"], copy)
                text = json.dumps(written[-1], ensure_ascii=False, allow_nan=False)
                text.encode()
                assert "\0" not in json.dumps(written[-1]).replace("\\u0000", "\0")
                assert len(text) < 100_000
    assert len(written) > 1000
