"""Orders and records for the tests of this folder."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_veo.orders.order import Order
from airflow_provider_veo.orders.record import Kept, OrderRecord, State

ORDER = Order("f", epoch=2, now=1000.0, timeout=600.0, max_submissions=2, on_unknown_submission="fail")
OTHER_REQUEST = replace(ORDER, fingerprint="g")
AFTER_A_CLEAR = replace(ORDER, epoch=3)
OLD_EPOCH = 1

RECORD = OrderRecord(
    State.SUBMITTED, "f", epoch=2, idempotency_key="k", submissions=1, waiting_since=900.0, sent_at=950.0, video_id="v"
)
INTENT = replace(RECORD, state=State.INTENT, video_id=None)
KEPT = Kept("/v/a.mp4", 5, "ab", {"version": 1, "kind": "completed", "video_id": "v", "status": "completed"}, 1)


def record(state, *, cleared=False, **changes):
    """Return a record.

    Args:
        state: How far its order has come.
        cleared: `ORDER` comes after a clear.
        changes: Other fields.
    """
    if state is State.STORED:
        changes.setdefault("kept", KEPT)
    return replace(RECORD, state=state, epoch=OLD_EPOCH if cleared else ORDER.epoch, **changes)
