"""What the Veo page of Airflow's UI knows of a task: two records, kept in Airflow's database as XComs.

The order is written when the task is about to order, so that its time is the time of the order; the outcome when the
task ends. Airflow drops both when the next try starts: they tell of the latest try.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import Context, redact

from airflow_provider_veo.api.answers.text import make_storable
from airflow_provider_veo.api.backends.profiles import CARD
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS

ORDER_KEY = "veo_order"
OUTCOME_KEY = "veo_outcome"

PAGE_EXISTS = AIRFLOW_V_3_1_PLUS
"""Airflow's UI takes pages of plugins since 3.1."""

VIDEO = "video/mp4"
_LONGEST_TEXT = 10_000  # letters; nobody reads more on a page, and an XCom should stay small

log = logging.getLogger(__name__)


def order(prompt: str, model: str, size: str | None = None, videos: int = 1) -> dict[str, Any]:
    """Return the record of an order.

    Args:
        prompt: what to show.
        model: that is ordered.
        size: `<width>x<height>`, where it is known already.
        videos: how many.
    """
    card = CARD.get(model)
    return {
        "prompt": words(prompt),
        "model": model,
        "size": size or (card.size if card else None),
        "videos": videos,
        "estimated_cost_usd": card.price_usd * videos if card else None,
    }


def stored(result: Mapping[str, Any], proof: str | None, media_type: str = VIDEO) -> dict[str, Any]:
    """Return what an outcome says of a stored file.

    Args:
        result: of the task, with `path`, `bytes` and `sha256`.
        proof: that the task has held the file, see `storage.proof`; the page plays nothing without it. None where
            nothing was stored.
        media_type: of the file.
    """
    file = {name: result.get(name) for name in ("path", "bytes", "sha256")}
    return file | {"proof": proof, "media_type": media_type}


def reference(url: str) -> str:
    """Return a name for a video that has an address only: the address itself may be signed."""
    return "url-" + hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()[:16]


def publish(context: Context, key: str, record: Mapping[str, Any]) -> None:
    """Write a record. A failure is logged: what the page knows must not cost a video.

    Args:
        context: of the task.
        key: `ORDER_KEY` or `OUTCOME_KEY`.
        record: of JSON values.
    """
    if not PAGE_EXISTS or (ti := context.get("ti")) is None:
        return
    try:
        _write(ti, key, _storable(record))
    except Exception:
        log.warning("The record %s could not be written, so the Veo page knows less of this task", key, exc_info=True)


def _write(ti: Any, key: str, record: dict[str, Any]) -> None:
    from airflow.sdk.bases.xcom import BaseXCom  # noqa: PLC0415 - Airflow 3

    # not the XCom backend that may be configured: what is kept elsewhere cannot be searched
    BaseXCom.set(
        key=key,
        value=record,
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        map_index=ti.map_index,
    )


def words(value: str) -> str:
    """Return what people or servers have written, as databases take it, without secrets that Airflow knows.

    Paths are left as they are: the password of many a test database is part of them.
    """
    return shortened(make_storable(str(redact(value))))


def shortened(text: str) -> str:
    """Return as much of a text as a record may hold and the page shows."""
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def _storable(value: Any) -> Any:
    """Return what every database takes in place of a JSON value: PostgreSQL knows no NUL in texts, and no NaN."""
    if isinstance(value, str):
        return make_storable(value[:_LONGEST_TEXT])
    if isinstance(value, Mapping):
        return {make_storable(str(name)): _storable(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_storable(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
