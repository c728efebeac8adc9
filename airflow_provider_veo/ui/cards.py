"""What the page shows of a task: pure functions from records and states to JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from airflow_provider_veo.api.answers.text import make_storable
from airflow_provider_veo.observability.page import shortened
from airflow_provider_veo.ui.roots import Place, why_not

Status = Literal["in_progress", "completed", "failed"]

VideoName = tuple[str, str, str]
"""Dag, run, and the video's id or what `records.reference` makes of its address."""

LONGEST_NAME = 200  # letters of a model's or a video's name
_MOST_VIDEOS = 50  # of one task; an order is for four at most

ENDED: Mapping[str, Status] = {
    "success": "completed",
    "failed": "failed",
    "upstream_failed": "failed",
    "skipped": "failed",
    "removed": "failed",
}
"""What the states of a task instance mean; all others are on their way."""


@dataclass(frozen=True)
class Stored:
    """What a task has stored.

    Attributes:
        key: of the task; the page asks for the content by it.
        outcome: of the task.
    """

    key: Mapping[str, Any]
    outcome: Mapping[str, Any]

    @property
    def of(self) -> str | None:
        """The name of the video, where another task has ordered it."""
        name = self.outcome.get("of")
        return name if isinstance(name, str) else None

    @property
    def is_playable(self) -> bool:
        """Whether a file was recorded, as far as a player must know it."""
        texts = all(isinstance(self.outcome.get(name), str) for name in ("path", "media_type"))
        return texts and _number(self.outcome.get("bytes")) is not None

    def medium(self, roots: tuple[Place, ...]) -> dict[str, Any]:
        """Return what a player must know, and why it need not try.

        Args:
            roots: the folders below which the page may open files.
        """
        why = why_not(self.outcome["path"], roots)
        if why is None and not isinstance(self.outcome.get("proof"), str):
            why = (
                "This page cannot play the file: its record holds no proof that the task has stored it, since an older "
                "version of the provider has written it, or somebody else. Run the task again to play it here."
            )
        return {
            **self.key,
            "media_type": _text(self.outcome["media_type"]),
            "bytes": _number(self.outcome["bytes"]),
            "why_not": None if why is None else _text(why),
        }


@dataclass(frozen=True)
class Task:
    """A task instance, with what is on record of it.

    Attributes:
        state: Airflow's; None for one that was cleared and is not scheduled again yet.
        order: see `records.order`; None for tasks that order nothing.
        ordered_at: when the order was written.
        outcome: how it ended; None as long as it has not.
        progress: see `task_state.progress_text`.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    state: str | None
    started_at: datetime | None
    ended_at: datetime | None
    order: Mapping[str, Any] | None
    ordered_at: datetime | None
    outcome: Mapping[str, Any] | None
    progress: str | None

    @property
    def status(self) -> Status:
        """How far it is."""
        return ENDED.get(self.state or "", "in_progress")

    @property
    def key(self) -> dict[str, Any]:
        """Return what names it, as the page's addresses have it."""
        return {
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "task_id": self.task_id,
            "map_index": self.map_index,
        }

    @property
    def videos(self) -> list[VideoName]:
        """The names of its videos, by which the tasks that have stored them are found."""
        names = (self.outcome or {}).get("videos")
        known = names[:_MOST_VIDEOS] if isinstance(names, list) else []
        return [(self.dag_id, self.run_id, name) for name in known if _is_name(name)]

    @property
    def stored(self) -> Stored:
        """Its own file."""
        return Stored(self.key, self.outcome or {})


def card(task: Task, stored_by: Mapping[VideoName, Stored], roots: tuple[Place, ...]) -> dict[str, Any]:
    """Return what the page shows of a task.

    Args:
        task: the task.
        stored_by: what download tasks have stored.
        roots: the folders below which the page may open files.
    """
    order, outcome = task.order or {}, task.outcome or {}
    size = _text(outcome.get("size")) or _text(order.get("size"))
    others = [stored_by[name] for name in task.videos if name in stored_by]
    media = [task.stored] if task.stored.is_playable else others
    return {
        **task.key,
        "try_number": task.try_number,
        "state": task.state,
        "status": task.status,
        "progress": progress(task),
        "prompt": _text(order.get("prompt")),
        "model": _text(order.get("model")),
        "size": size,
        "orientation": orientation(size),
        "started_at": _iso(task.started_at),
        "ordered_at": _iso(task.ordered_at),
        "ended_at": _iso(task.ended_at) if task.status != "in_progress" else None,
        "generation_seconds": _number(outcome.get("generation_seconds")),
        "estimated_cost_usd": _number(outcome.get("estimated_cost_usd", order.get("estimated_cost_usd"))),
        "path": _text(outcome.get("path")),
        "error": _text(outcome.get("error")),
        "media": [stored.medium(roots) for stored in media],
    }


def progress(task: Task) -> dict[str, Any] | None:
    """Return how far a task is that is on its way; the percentage is None where it is not known."""
    if task.status != "in_progress":
        return None
    text = _text(task.progress) or ""
    match = re.fullmatch(r"(.*?)(?: (\d+(?:\.\d+)?) %)?", text, re.DOTALL)
    assert match is not None
    percent = float(match[2]) if match[2] else None
    return {"text": match[1] or None, "percent": percent if percent is None or percent <= 100 else None}


def orientation(size: str | None) -> str | None:
    """Return `landscape`, `portrait` or `square` of a size like `1280x720`; None of anything else."""
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", size or "")
    if not match:
        return None
    width, height = int(match[1]), int(match[2])
    return "square" if width == height else "landscape" if width > height else "portrait"


@dataclass(frozen=True)
class Group:
    """Tasks of one Dag, model and status, counted.

    Attributes:
        cost: sum of what is known, in US dollars.
        seconds: sum of the generation times that are known.
        timed: how many are known.
    """

    dag_id: str
    model: str | None
    status: Status
    tasks: int
    videos: int
    cost: float
    seconds: float
    timed: int

    @classmethod
    def of(
        cls, tasks: int, dag_id: str, model: str | None, status: Status, videos: Any, cost: Any, seconds: Any
    ) -> Group:
        """Count tasks that agree in all of this; the last three are of each, as texts from their records."""
        took = _parsed(seconds)
        return cls(
            dag_id,
            model,
            status,
            tasks,
            videos=tasks * int(_parsed(videos) or 1),
            cost=tasks * (_parsed(cost) or 0.0),
            seconds=tasks * (took or 0.0),
            timed=0 if took is None else tasks,
        )


def totals(groups: Iterable[Group]) -> dict[str, Any]:
    """Add groups up; a rate or mean of nothing is None."""
    groups = list(groups)
    tasks = {status: sum(group.tasks for group in groups if group.status == status) for status in _STATUSES}
    completed = [group for group in groups if group.status == "completed"]
    ended, timed = tasks["completed"] + tasks["failed"], sum(group.timed for group in completed)
    return {
        "generations": sum(tasks.values()),
        "in_progress": tasks["in_progress"],
        "completed": tasks["completed"],
        "failed": tasks["failed"],
        "videos": sum(group.videos for group in completed),
        "success_rate": tasks["completed"] / ended if ended else None,
        "estimated_cost_usd": round(sum(group.cost for group in completed), 4),
        "mean_generation_seconds": sum(group.seconds for group in completed) / timed if timed else None,
    }


_STATUSES: tuple[Status, ...] = ("in_progress", "completed", "failed")


# An XCom of our name may hold anything: what is not of the right kind is not known.


def _text(value: Any) -> str | None:
    return make_storable(shortened(value)) if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and abs(value) < _ABSURD_SIZE else None


def _is_name(value: Any) -> bool:
    """Say whether a database can be asked for a name."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and make_storable(value) == value


def _parsed(text: Any) -> float | None:
    """Return the number that a text holds; none of those that JSON does not know, and none that would break a sum."""
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < _ABSURD else None


_ABSURD = 1e9  # dollars, seconds or videos of one task
_ABSURD_SIZE = 2**53  # bytes; above it browsers cannot count


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
