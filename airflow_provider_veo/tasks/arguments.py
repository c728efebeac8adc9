"""The rules for the arguments of tasks. Each rule is used twice: when the Dag is parsed, and before an order."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, cast, get_args

from airflow.providers.common.compat.sdk import ObjectStoragePath, conf

from airflow_provider_veo.api.answers.answer import is_usable_id
from airflow_provider_veo.api.answers.text import show
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.specs import (
    FIELDS_OF_CHAT,
    FIELDS_OF_VIDEO,
    MOST_CHAT_VIDEOS,
    check_fields,
    format_seconds,
    parse_number,
)
from airflow_provider_veo.orders.order import OnClear
from airflow_provider_veo.storage.names import VIDEO_ID_PLACEHOLDER

_LONGEST = timedelta(days=365).total_seconds()
"""Seconds. Far below the latest dates that Python and databases can represent."""

_NONE = "None"
_FOUND_NOTHING = f"A template is rendered to '{_NONE}' if the task, key or parameter that it names has no value."


@dataclass(frozen=True)
class ArgumentRule:
    """The rule for an argument.

    Attributes:
        wanted: End of the sentence "it must be ...".
        read: Function that takes the argument and returns it as the task uses it. It raises `TypeError` or `ValueError`
            for a wrong argument, or `InvalidInputError` with its own message.
        is_text: Whether a template of the argument is rendered as text, even if the Dag renders templates as native
            objects.
    """

    wanted: str
    read: Callable[[Any], Any]
    is_text: bool = True

    def settle(self, name: str, value: Any, task_id: Any) -> Any:
        """Return an argument as the task uses it.

        Args:
            name: Name of the argument.
            value: The argument as the Dag gives it.
            task_id: ID of the task, for the message.

        Raises:
            InvalidInputError: The argument breaks the rule.
        """
        try:
            return self.read(value)
        except InvalidInputError as error:
            raise InvalidInputError(f"Task {task_id!r}: {error}") from None
        except (TypeError, ValueError):
            hint = f" ({_FOUND_NOTHING})" if isinstance(value, str) and value.strip() == _NONE else ""
            raise InvalidInputError(
                f"Task {task_id!r}: {name} is {show(value)}; it must be {self.wanted}.{hint}"
            ) from None

    @property
    def or_none(self) -> ArgumentRule:
        """The rule for an argument that may be left out."""
        return replace(
            self, wanted=f"{self.wanted}, or None", read=lambda value: None if value is None else self.read(value)
        )

    @property
    def or_nothing(self) -> ArgumentRule:
        """The rule for an argument that may be left out, also by an empty text: a template cannot return None."""
        return replace(self.or_none, read=lambda value: None if value is None or value == "" else self.read(value))


def make_choice_rule(literal: Any) -> ArgumentRule:
    """Return the rule for an argument with few values.

    Args:
        literal: The `Literal` type of the argument.
    """
    values = get_args(literal)

    def read(value: Any) -> Any:
        if value not in values:
            raise ValueError
        return value

    return ArgumentRule(" or ".join(map(repr, values)), read)


def _read_text(value: Any) -> str:
    # YAML, JSON and other tasks may give a number.
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        value = str(value)
    if not isinstance(value, str):
        raise TypeError
    if value.strip() in ("", _NONE):
        raise ValueError
    return value


def _read_job(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {**value, "id": _read_job(value.get("id"))}
    if isinstance(value, float):
        raise TypeError  # a float has lost digits of the ID
    found = _read_text(value).strip()
    if not is_usable_id(found):
        raise ValueError
    return found


def _read_address(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return _read_text(value).strip()
    if "url" not in value:
        raise ValueError
    return {**value, "url": None if value["url"] is None else _read_text(value["url"]).strip()}


def _read_place(value: Any) -> Any:
    # Checked first, since before Airflow 3.2 an ObjectStoragePath is also a local path.
    if isinstance(value, ObjectStoragePath):
        return value
    return _read_text(os.fspath(value) if isinstance(value, os.PathLike) else value)


def _make_file_rule(*suffixes: str) -> ArgumentRule:
    def read(value: Any) -> Any:
        place = _read_place(value)
        text = str(place).strip()
        if text.endswith("/") or VIDEO_ID_PLACEHOLDER in text or PurePosixPath(text).suffix.lower() not in suffixes:
            raise ValueError
        return place

    return ArgumentRule(
        f"a path, URI or ObjectStoragePath of a file name that ends in {' or '.join(suffixes)}, without "
        f"{VIDEO_ID_PLACEHOLDER}, since there is no job here",
        read,
    )


def _read_moment(value: Any) -> Any:
    if value not in ("first", "last") and parse_number(value) < 0:
        raise ValueError
    return value


def _read_place_or_result(value: Any) -> Any:
    return value if isinstance(value, Mapping) else _read_place(value)


def _read_places(value: Any) -> Any:
    is_one = isinstance(value, (str, bytes, Mapping, os.PathLike, ObjectStoragePath))
    if is_one or not isinstance(value, Iterable):
        raise TypeError
    if not (listed := [_read_place_or_result(one) for one in value]):
        raise ValueError
    return listed


def _read_seconds(value: Any) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else parse_number(value)
    if not 0 < seconds <= _LONGEST:
        raise ValueError
    return seconds


def _read_whole(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = parse_number(value)
    if not number.is_integer():
        raise ValueError
    return int(number)


def _make_whole_reader(least: int, most: int = sys.maxsize) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        number = _read_whole(value)
        if not least <= number <= most:
            raise ValueError
        return number

    return read


def _read_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _read_length(value: Any) -> Any:
    format_seconds(value)
    return value


def _make_fields_reader(taken: Collection[str]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        check_fields(value, taken)
        return value

    return read


def read_on_clear() -> OnClear:
    """Return the option `[veo] on_clear`.

    Raises:
        InvalidInputError: The option is neither "collect" nor "new".
    """
    given = (conf.get("veo", "on_clear", fallback=None) or "").strip() or "collect"
    if given not in get_args(OnClear):
        raise InvalidInputError(
            f"[veo] on_clear in Airflow's configuration is {given!r}; it must be 'collect' or 'new'. Nothing was "
            "ordered. Leave it out for 'collect'."
        )
    return cast("OnClear", given)


TEXT = ArgumentRule("a text that is not empty", _read_text)
SIZE = ArgumentRule("a text like '1280x720'", _read_text).or_nothing
MODEL = ArgumentRule("the name of a model", _read_text).or_nothing
LENGTH = ArgumentRule("", _read_length).or_nothing
JOB = ArgumentRule("the id of a video job, or the result of a task that has it as 'id'", _read_job)
ADDRESS = ArgumentRule("an address, or the result of a task that has it as 'url'", _read_address)
PLACE = ArgumentRule("a path, a URI such as 's3://conn_id@bucket/key.mp4', or an ObjectStoragePath", _read_place)
PICTURE_PLACE = _make_file_rule(".png", ".jpg", ".jpeg")
VIDEO_PLACE = _make_file_rule(".mp4")
MOMENT = ArgumentRule("'first', 'last', or seconds from the start of the video", _read_moment)
SOURCE = replace(
    PLACE, wanted=f"{PLACE.wanted}, or the result of a task that has stored it", read=_read_place_or_result
)
SOURCES = ArgumentRule("a list of clips, each of them " + SOURCE.wanted, _read_places, is_text=False)
PICTURE = replace(SOURCE, wanted="a URL, a data: URI, " + SOURCE.wanted).or_nothing
FURTHER_VIDEO_FIELDS = ArgumentRule("", _make_fields_reader(FIELDS_OF_VIDEO), is_text=False).or_nothing
FURTHER_CHAT_FIELDS = ArgumentRule("", _make_fields_reader(FIELDS_OF_CHAT), is_text=False).or_nothing
SECONDS = ArgumentRule("a time above 0 and of at most 365 days: seconds as a number, or a timedelta", _read_seconds)
DURATION = replace(SECONDS, read=lambda value: timedelta(seconds=_read_seconds(value)))
SENSOR_TIMEOUT = replace(SECONDS, read=lambda value: value and _read_seconds(value))  # Airflow allows 0, too
COUNT = ArgumentRule("a whole number, 1 or more", _make_whole_reader(1))
CHAT_COUNT = ArgumentRule(f"a whole number from 1 to {MOST_CHAT_VIDEOS}", _make_whole_reader(1, MOST_CHAT_VIDEOS))
FLAG = ArgumentRule("True or False", _read_flag)
MOST_BYTES = ArgumentRule(
    "a whole number of bytes above 0, like 2 * 2**30 for 2 GiB, or None for no limit",
    lambda value: sys.maxsize if value is None else _make_whole_reader(1)(value),
)
