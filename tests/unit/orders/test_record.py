"""The order record: the events of an order, and its JSON form."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from airflow_provider_veo.orders.collecting import NotCollected
from airflow_provider_veo.orders.record import OrderRecord, State
from tests.unit.orders.samples import INTENT, KEPT, RECORD


def test_an_accepted_order_has_the_id_of_its_job():
    assert INTENT.as_accepted("v") == RECORD


def test_a_refused_order_is_an_intent_again_once_it_is_sent():
    refused = INTENT.as_refused()
    assert (refused.state, refused.submissions) == (State.REFUSED, 0)
    sent = refused.as_sent(1000.0)
    assert (sent.state, sent.posts, sent.sent_at) == (State.INTENT, 1, 1000.0)


def test_a_chat_call_keeps_each_video_and_replaces_one_by_its_better_address():
    one = INTENT.as_accepted(None).with_url("https://x.example/1").with_url("https://x.example/2")
    assert one.urls == ("https://x.example/1", "https://x.example/2")
    assert one.with_url("https://y.example/1", replaced="https://x.example/1").urls == (
        "https://y.example/1",
        "https://x.example/2",
    )
    assert one.with_url("https://y.example/3", replaced="https://x.example/3").urls == (
        *one.urls,
        "https://y.example/3",
    )


class TestAVideoThatIsNotCollected:
    def test_is_withheld_from_the_first_refusal_on(self):
        first = RECORD.as_not_collected(NotCollected.REFUSED, 1000.0)
        assert first.as_not_collected(NotCollected.REFUSED, 1300.0).withheld_since == 1000.0
        assert first.as_not_collected(NotCollected.NO_ANSWER, 1300.0) == first
        assert first.as_not_collected(NotCollected.OUR_SIDE, 1300.0).withheld_since is None
        assert first.as_stored(KEPT).withheld_since is None
        assert first.replaceable_from == 1600.0
        assert RECORD.replaceable_from is None

    def test_is_withheld_anew_after_the_server_has_reported_a_running_job(self):
        first = RECORD.as_not_collected(NotCollected.REFUSED, 1000.0)
        assert first.as_not_collected(NotCollected.REFUSED, 1300.0, is_running=True).withheld_since == 1300.0
        assert first.as_not_collected(NotCollected.NO_ANSWER, 1300.0, is_running=True).withheld_since is None

    def test_is_lost_once_the_loss_is_certain(self):
        assert RECORD.as_not_collected(NotCollected.NEVER, 1000.0).state is State.LOST


WRITTEN = {
    "version": 1,
    "state": "submitted",
    "fingerprint": "f",
    "epoch": 2,
    "idempotency_key": "k",
    "submissions": 1,
    "waiting_since": 900.0,
    "sent_at": 950.0,
    "video_id": "v",
    "adopted": False,
    "urls": [],
    "frames": {},
    "posts": 0,
    "try_number": None,
    "clear_number": None,
    "kept": None,
    "earlier": [],
    "by_clear": False,
    "withheld_since": None,
}
"""A record as earlier versions of this package have written it."""

LATEST = {"entry": None, "region": None, "server": None, "estimated_cost_usd": None, "backend": None}
"""The fields that this version adds."""

WRITTEN_FILE = {
    "path": "/v/a.mp4",
    "bytes": 5,
    "sha256": "ab",
    "outcome": {"version": 1, "kind": "completed", "video_id": "v", "status": "completed"},
    "submissions": 1,
}


class TestTheJsonForm:
    def test_is_the_same_in_every_version_except_for_new_fields(self):
        assert RECORD.to_json() == WRITTEN | LATEST
        assert RECORD.as_stored(KEPT).to_json() == WRITTEN | LATEST | {"state": "stored", "kept": WRITTEN_FILE}
        assert [state.value for state in State] == ["intent", "refused", "submitted", "stored", "delivered", "lost"]

    def test_of_an_earlier_version_is_read(self):
        assert OrderRecord.from_json(WRITTEN) == RECORD
        with_file = OrderRecord.from_json(WRITTEN | {"state": "stored", "kept": WRITTEN_FILE})
        assert with_file == RECORD.as_stored(KEPT)
        chat = WRITTEN | {"urls": ["https://x.example/1"], "earlier": ["u"], "frames": {"first_frame": "a hash"}}
        assert OrderRecord.from_json(chat) == replace(
            RECORD, urls=("https://x.example/1",), earlier=("u",), frames={"first_frame": "a hash"}
        )

    def test_with_fields_of_a_later_version_is_read(self):
        assert OrderRecord.from_json(WRITTEN | {"colour": "green"}) == RECORD
        with_file = WRITTEN | {"state": "stored", "kept": WRITTEN_FILE | {"colour": "green"}}
        assert OrderRecord.from_json(with_file) == RECORD.as_stored(KEPT)

    def test_without_the_latest_fields_is_read(self):
        needed = (
            *("state", "fingerprint", "epoch", "idempotency_key"),
            *("submissions", "waiting_since", "sent_at", "video_id"),
        )
        assert OrderRecord.from_json({name: WRITTEN[name] for name in needed}) == RECORD

    @pytest.mark.parametrize(
        "value",
        [
            "text",
            5,
            {},
            {"state": "dreaming"},
            {"state": "intent"},
            asdict(RECORD) | {"state": "stored", "kept": {"path": "/v/a.mp4"}},
        ],
    )
    def test_of_another_value_is_an_error(self, value):
        with pytest.raises((TypeError, ValueError, KeyError, AttributeError)):
            OrderRecord.from_json(value)
