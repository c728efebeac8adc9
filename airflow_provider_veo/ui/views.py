"""The JSON that the Veo page shows: pure functions from page entries and states of tasks.

A page entry can hold anything, since users can write XComs of the same name. So each value of an entry is checked
before it is shown: a value of another type counts as unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from airflow_provider_veo.api.answers.text import make_storable
from airflow_provider_veo.observability.page import OrderEntry, OutcomeEntry, shorten
from airflow_provider_veo.ui.roots import Place, explain_refusal

Status = Literal["in_progress", "completed", "failed"]

VideoName = tuple[str, str, str]
"""ID of the Dag, ID of the run, and the name of a video in an outcome entry."""

LONGEST_NAME = 200  # letters of the name of a model or a video

ENDED_STATES: Mapping[str, Status] = {
    "success": "completed",
    "failed": "failed",
    "upstream_failed": "failed",
    "skipped": "failed",
    "removed": "failed",
}
"""The status of a task instance in each state in which it has ended. In all other states it is in progress."""

_STATUSES: tuple[Status, ...] = ("in_progress", "completed", "failed")
_MOST_VIDEOS = 50  # of one task; an order is for four at most
_ABSURD = 1e9  # dollars, seconds or videos of one task
_ABSURD_SIZE = 2**53  # bytes; browsers cannot count further

Number = int | float


class TaskView(TypedDict):
    """A task instance as the page shows it. Values that are not known are None.

    Attributes:
        dag_id: ID of the Dag.
        run_id: ID of the Dag run.
        task_id: ID of the task.
        map_index: Index of a mapped task instance; -1 for a task that is not mapped.
        region_id: ID of the loop or the expansion that the task instance belongs to; None outside of both, and before
            Airflow 3.4.
        region_index: Index of the task instance in its region; None without a region.
        pass_index: Number of the pass of the loop, from 0; None outside of loops.
        try_number: Number of the try.
        latest_try: Number of the latest try.
        state: State of the task instance in Airflow.
        status: Status that the page shows.
        progress: Progress of the task; None if it has ended.
        prompt: Prompt of the order.
        model: Name of the model.
        size: Size of the video as `<width>x<height>`.
        orientation: `landscape`, `portrait` or `square`.
        started_at: Start of the latest try, in ISO 8601.
        ordered_at: Time of the order, in ISO 8601.
        ended_at: End of the task, in ISO 8601.
        generation_seconds: Seconds that the server worked.
        estimated_cost_usd: Price of the videos, in US dollars.
        path: Local path or URI of the stored file.
        error: Description of the failure, for people.
        uncollected: ID of a paid video that a later try can collect; None if there is none.
        media: The files that a player can show.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    region_id: str | None
    region_index: int | None
    pass_index: int | None
    try_number: int
    latest_try: int
    state: str | None
    status: Status
    progress: ProgressView | None
    prompt: str | None
    model: str | None
    size: str | None
    orientation: str | None
    started_at: str | None
    ordered_at: str | None
    ended_at: str | None
    generation_seconds: Number | None
    estimated_cost_usd: Number | None
    path: str | None
    error: str | None
    uncollected: str | None
    media: list[FileView]


class TaskPageView(TaskView):
    """A task instance on its own page.

    Attributes:
        tries: Numbers of the tries that Airflow has kept.
    """

    tries: list[int]


class ProgressView(TypedDict):
    """The progress of a task instance.

    Attributes:
        text: Status word of the server.
        percent: Progress from 0 to 100.
    """

    text: str | None
    percent: float | None


class FileView(TypedDict):
    """A stored file, with the names of the task instance by which the page asks for its bytes.

    Attributes:
        region_id: ID of the region of the task instance; None without one.
        region_index: Index of the task instance in its region; None without one.
        try_number: Number of an earlier try; None if the latest try has stored the file.
        media_type: Media type of the file.
        bytes: Size of the file.
        why_not: Reason why the page does not play the file; None if it may play the file.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    region_id: str | None
    region_index: int | None
    try_number: int | None
    media_type: str | None
    bytes: Number | None
    why_not: str | None


class TotalsView(TypedDict):
    """The sums of all tasks of a filter. A rate or a mean of nothing is None.

    Attributes:
        tasks: Number of tasks that have ordered.
        in_progress: Number of tasks that are in progress.
        completed: Number of tasks that have succeeded.
        failed: Number of tasks that have failed.
        videos: Number of videos of tasks that have succeeded.
        success_rate: Part of the ended tasks that has succeeded, from 0 to 1.
        estimated_cost_usd: Price of the videos of tasks that have succeeded, in US dollars.
        mean_generation_seconds: Seconds that the server worked for a task, on average.
    """

    tasks: int
    in_progress: int
    completed: int
    failed: int
    videos: int
    success_rate: float | None
    estimated_cost_usd: float
    mean_generation_seconds: float | None


class TasksView(TypedDict):
    """One page of tasks, those of the newest Dag runs first.

    Attributes:
        tasks: The tasks of this page.
        page: Number of the page, from 1.
        more: Whether there is another page among the runs that were searched.
        searched_until: Date of the oldest Dag run that was searched, in ISO 8601; None if all were searched that this
            page needs.
        continue_before: Value of `before` with which the search goes on; None if all runs were searched.
    """

    tasks: list[TaskView]
    page: int
    more: bool
    searched_until: str | None
    continue_before: int | None


class SummaryView(TypedDict):
    """The sums of a filter, and the values that a filter can have.

    Attributes:
        totals: Sums of the filter.
        dags: IDs of the Dags that have, or had, a task of this provider.
        models: Names of the models that were ordered in the runs that were added up.
        page_size: Number of tasks on a page.
        searched_until: Date of the oldest Dag run that was added up, in ISO 8601; None if all were.
    """

    totals: TotalsView
    dags: list[str]
    models: list[str]
    page_size: int
    searched_until: str | None


@dataclass(frozen=True)
class TaskKey:
    """The names of a task instance.

    Attributes:
        region_id: ID of the loop or the expansion that the task instance belongs to; None without one.
        region_index: Index of the task instance in its region; None without one.
        try_number: Number of an earlier try; None means the latest one.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    region_id: str | None = None
    region_index: int | None = None
    try_number: int | None = None


@dataclass(frozen=True)
class StoredFile:
    """The file that a task instance has stored.

    Attributes:
        key: Names of the task instance, by which the page asks for the bytes.
        outcome: Outcome entry of the task instance.
    """

    key: TaskKey
    outcome: OutcomeEntry

    @property
    def of(self) -> str | None:
        """The name of the video, if another task has ordered it."""
        name = self.outcome.get("of")
        return name if isinstance(name, str) else None

    @property
    def is_playable(self) -> bool:
        """Whether the entry holds all that a player must know."""
        has_texts = isinstance(self.outcome.get("path"), str) and isinstance(self.outcome.get("media_type"), str)
        return has_texts and _number(self.outcome.get("bytes")) is not None

    def show(self, roots: tuple[Place, ...]) -> FileView:
        """Return the file as the page shows it.

        Args:
            roots: The folders below which the page may open files.
        """
        why = explain_refusal(self.outcome["path"] or "", roots)
        if why is None and not isinstance(self.outcome.get("proof"), str):
            why = (
                "This page cannot play the file: its entry holds no proof that the task has stored the file. An older "
                "version of the provider has written the entry, or a user. Run the task again to play the file here."
            )
        return {
            "dag_id": self.key.dag_id,
            "run_id": self.key.run_id,
            "task_id": self.key.task_id,
            "map_index": self.key.map_index,
            "region_id": self.key.region_id,
            "region_index": self.key.region_index,
            "try_number": self.key.try_number,
            "media_type": _text(self.outcome["media_type"]),
            "bytes": _number(self.outcome["bytes"]),
            "why_not": None if why is None else _text(why),
        }


@dataclass(frozen=True)
class TaskRow:
    """A task instance with its page entries, as the database has them.

    Attributes:
        state: State of the task instance; None if it was cleared and is not scheduled again yet.
        order: Order entry; None if the task has ordered nothing.
        ordered_at: Time at which the order entry was written.
        outcome: Outcome entry; None as long as the task has not ended.
        progress: Progress text; None if there is none.
        region_id: ID of the loop or the expansion that the task instance belongs to; None without one.
        region_index: Index of the task instance in its region; None without one.
        pass_index: Number of the pass of the loop, from 0; None outside of loops.
        latest_try: Number of the latest try; None if this is the latest.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    state: str | None
    started_at: datetime | None
    ended_at: datetime | None
    order: OrderEntry | None
    ordered_at: datetime | None
    outcome: OutcomeEntry | None
    progress: str | None
    region_id: str | None = None
    region_index: int | None = None
    pass_index: int | None = None
    latest_try: int | None = None

    @property
    def key(self) -> TaskKey:
        """The names of the task instance."""
        earlier = None if self.latest_try is None else self.try_number
        place = self.map_index, self.region_id, self.region_index
        return TaskKey(self.dag_id, self.run_id, self.task_id, *place, earlier)

    @property
    def status(self) -> Status:
        """The status that the page shows. An earlier try has ended, in whichever state Airflow has left it."""
        return ENDED_STATES.get(self.state or "", "in_progress" if self.latest_try is None else "failed")

    @property
    def videos(self) -> list[VideoName]:
        """The names of its videos, by which files of other tasks are found."""
        names = (self.outcome or {}).get("videos")
        known = names[:_MOST_VIDEOS] if isinstance(names, list) else []
        return [(self.dag_id, self.run_id, name) for name in known if _is_name(name)]

    @property
    def stored(self) -> StoredFile:
        """The file that the task has stored itself."""
        return StoredFile(self.key, self.outcome or {})


def show_task(row: TaskRow, stored_by: Mapping[VideoName, StoredFile], roots: tuple[Place, ...]) -> TaskView:
    """Return a task instance as the page shows it.

    Args:
        row: Row of the task instance.
        stored_by: The files that other tasks have stored, by the names of the videos.
        roots: The folders below which the page may open files.
    """
    order: Mapping[str, Any] = row.order or {}
    outcome: Mapping[str, Any] = row.outcome or {}
    size = _text(outcome.get("size")) or _text(order.get("size"))
    others = [stored_by[name] for name in row.videos if name in stored_by]
    files = [row.stored] if row.stored.is_playable else others
    return {
        "dag_id": row.dag_id,
        "run_id": row.run_id,
        "task_id": row.task_id,
        "map_index": row.map_index,
        "region_id": row.region_id,
        "region_index": row.region_index,
        "pass_index": row.pass_index,
        "try_number": row.try_number,
        "latest_try": row.try_number if row.latest_try is None else row.latest_try,
        "state": row.state,
        "status": row.status,
        "progress": show_progress(row),
        "prompt": _text(order.get("prompt")),
        "model": _text(order.get("model")),
        "size": size,
        "orientation": find_orientation(size),
        "started_at": _iso(row.started_at),
        "ordered_at": _iso(row.ordered_at),
        "ended_at": _iso(row.ended_at) if row.status != "in_progress" else None,
        "generation_seconds": _number(outcome.get("generation_seconds")),
        "estimated_cost_usd": _number(outcome.get("estimated_cost_usd", order.get("estimated_cost_usd"))),
        "path": _text(outcome.get("path")),
        "error": _text(outcome.get("error")),
        "uncollected": _text(outcome.get("uncollected")),
        "media": [file.show(roots) for file in files],
    }


def show_progress(row: TaskRow) -> ProgressView | None:
    """Return the progress of a task instance; None if it has ended."""
    if row.status != "in_progress":
        return None
    text = _text(row.progress) or ""
    match = re.fullmatch(r"(.*?)(?: (\d+(?:\.\d+)?) %)?", text, re.DOTALL)
    assert match is not None
    percent = float(match[2]) if match[2] else None
    return {"text": match[1] or None, "percent": percent if percent is None or percent <= 100 else None}


def find_orientation(size: str | None) -> str | None:
    """Return `landscape`, `portrait` or `square` for a size like `1280x720`; None for any other text."""
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", size or "")
    if not match:
        return None
    width, height = int(match[1]), int(match[2])
    return "square" if width == height else "landscape" if width > height else "portrait"


@dataclass(frozen=True)
class Group:
    """The tasks of one Dag, model and status, counted.

    Attributes:
        tasks: Number of tasks in the group.
        videos: Number of videos that these tasks have ordered.
        cost: Sum of the prices that are known, in US dollars.
        seconds: Sum of the seconds that the server worked, of the tasks for which they are known.
        timed: Number of tasks for which these seconds are known.
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
        """Count tasks that agree in all these values.

        Args:
            tasks: Number of tasks in the group.
            dag_id: ID of the Dag.
            model: Name of the model.
            status: Status of the tasks.
            videos: Number of videos of each task, as a text from its entry.
            cost: Price of each task in US dollars, as a text from its entry.
            seconds: Seconds that the server worked for each task, as a text from its entry.
        """
        took = _parse_number(seconds)
        return cls(
            dag_id,
            model,
            status,
            tasks,
            videos=tasks * int(_parse_number(videos) or 1),
            cost=tasks * (_parse_number(cost) or 0.0),
            seconds=tasks * (took or 0.0),
            timed=0 if took is None else tasks,
        )


def add_up(groups: Iterable[Group]) -> TotalsView:
    """Return the sums of some groups."""
    groups = list(groups)
    tasks = {status: sum(group.tasks for group in groups if group.status == status) for status in _STATUSES}
    completed = [group for group in groups if group.status == "completed"]
    ended, timed = tasks["completed"] + tasks["failed"], sum(group.timed for group in completed)
    return {
        "tasks": sum(tasks.values()),
        "in_progress": tasks["in_progress"],
        "completed": tasks["completed"],
        "failed": tasks["failed"],
        "videos": sum(group.videos for group in completed),
        "success_rate": tasks["completed"] / ended if ended else None,
        "estimated_cost_usd": round(sum(group.cost for group in completed), 4),
        "mean_generation_seconds": sum(group.seconds for group in completed) / timed if timed else None,
    }


def _text(value: Any) -> str | None:
    return make_storable(shorten(value)) if isinstance(value, str) else None


def _number(value: Any) -> Number | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and abs(value) < _ABSURD_SIZE else None


def _is_name(value: Any) -> bool:
    """Return whether a database can be asked for a name."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and make_storable(value) == value


def _parse_number(text: Any) -> float | None:
    """Return the number in a text; None for a number that JSON does not have, or that would spoil a sum."""
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < _ABSURD else None


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
