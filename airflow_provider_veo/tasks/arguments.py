"""What the arguments of tasks must be. Each rule is used twice: when the Dag is parsed, and before an order."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, get_args

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo.api.answers.answer import is_usable_id
from airflow_provider_veo.api.answers.text import show
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.specs import (
    FIELDS_OF_CHAT,
    FIELDS_OF_VIDEO,
    MOST_CHAT_VIDEOS,
    check_fields,
    number_of,
    seconds_as_text,
)
from airflow_provider_veo.storage.names import VIDEO_ID_PLACEHOLDER

_LONGEST = timedelta(days=365).total_seconds()  # far from where the dates of Python and of databases end

_NONE = "None"
_FOUND_NOTHING = f"A template is rendered to '{_NONE}' where the task, key or parameter that it names has no value."


@dataclass(frozen=True)
class Rule:
    """What an argument must be.

    Attributes:
        words: complete the sentence "it must be ...".
        read: takes the argument, and returns it as the task uses it. It raises `TypeError` or `ValueError` where it
            cannot, and `InvalidInputError` where it has a better sentence.
        is_text: a template of it is rendered as text, also where the Dag renders templates as native objects.
    """

    words: str
    read: Callable[[Any], Any]
    is_text: bool = True

    def settled(self, name: str, value: Any, task_id: Any) -> Any:
        """Return an argument as the task uses it.

        Args:
            name: of the argument.
            value: as it was given.
            task_id: of the task, for the message.

        Raises:
            InvalidInputError: it is something else.
        """
        try:
            return self.read(value)
        except InvalidInputError as error:
            raise InvalidInputError(f"Task {task_id!r}: {error}") from None
        except (TypeError, ValueError):
            hint = f" ({_FOUND_NOTHING})" if isinstance(value, str) and value.strip() == _NONE else ""
            raise InvalidInputError(
                f"Task {task_id!r}: {name} is {show(value)}; it must be {self.words}.{hint}"
            ) from None

    @property
    def or_none(self) -> Rule:
        """The rule of an argument that may be left out."""
        return replace(
            self, words=f"{self.words}, or None", read=lambda value: None if value is None else self.read(value)
        )

    @property
    def or_nothing(self) -> Rule:
        """The rule of an argument that may be left out, by an empty text, too: templates cannot say None."""
        return replace(self.or_none, read=lambda value: None if value is None or value == "" else self.read(value))


def one_of(literal: Any) -> Rule:
    """Return the rule of an argument with few values.

    Args:
        literal: the type, a `Literal`.
    """
    words = get_args(literal)

    def read(value: Any) -> Any:
        if value not in words:
            raise ValueError
        return value

    return Rule(" or ".join(map(repr, words)), read)


def _text(value: Any) -> str:
    # a number: of YAML, JSON, or another task
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        value = str(value)
    if not isinstance(value, str):
        raise TypeError
    if value.strip() in ("", _NONE):
        raise ValueError
    return value


def _job(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {**value, "id": _job(value.get("id"))}
    if isinstance(value, float):
        raise TypeError  # it has lost digits
    found = _text(value).strip()
    if not is_usable_id(found):
        raise ValueError
    return found


def _address(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return _text(value).strip()
    if "url" not in value:
        raise ValueError
    return {**value, "url": None if value["url"] is None else _text(value["url"]).strip()}


def _place(value: Any) -> Any:
    # asked first: before Airflow 3.2 it is a path of this machine, too
    if isinstance(value, ObjectStoragePath):
        return value
    return _text(os.fspath(value) if isinstance(value, os.PathLike) else value)


def _named(*suffixes: str) -> Rule:
    def read(value: Any) -> Any:
        place = _place(value)
        text = str(place).strip()
        if text.endswith("/") or VIDEO_ID_PLACEHOLDER in text or PurePosixPath(text).suffix.lower() not in suffixes:
            raise ValueError
        return place

    return Rule(
        f"a path, URI or ObjectStoragePath of a file name that ends in {' or '.join(suffixes)}, without "
        f"{VIDEO_ID_PLACEHOLDER}, since there is no job here",
        read,
    )


def _moment(value: Any) -> Any:
    if value not in ("first", "last") and number_of(value) < 0:
        raise ValueError
    return value


def _place_or_result(value: Any) -> Any:
    return value if isinstance(value, Mapping) else _place(value)


def _places(value: Any) -> Any:
    is_one = isinstance(value, (str, bytes, Mapping, os.PathLike, ObjectStoragePath))
    if is_one or not isinstance(value, Iterable):
        raise TypeError
    if not (listed := [_place_or_result(one) for one in value]):
        raise ValueError
    return listed


def _seconds(value: Any) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else number_of(value)
    if not 0 < seconds <= _LONGEST:
        raise ValueError
    return seconds


def _whole(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = number_of(value)
    if not number.is_integer():
        raise ValueError
    return int(number)


def _whole_from(least: int, most: int = sys.maxsize) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        number = _whole(value)
        if not least <= number <= most:
            raise ValueError
        return number

    return read


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _length(value: Any) -> Any:
    seconds_as_text(value)
    return value


def _further_fields(taken: Collection[str]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        check_fields(value, taken)
        return value

    return read


TEXT = Rule("a text that is not empty", _text)
SIZE = Rule("a text like '1280x720'", _text).or_nothing
MODEL = Rule("the name of a model", _text).or_nothing
LENGTH = Rule("", _length).or_nothing
JOB = Rule("the id of a video job, or the result of a task that has it as 'id'", _job)
ADDRESS = Rule("an address, or the result of a task that has it as 'url'", _address)
PLACE = Rule("a path, a URI such as 's3://conn_id@bucket/key.mp4', or an ObjectStoragePath", _place)
PICTURE_PLACE = _named(".png", ".jpg", ".jpeg")
FILM_PLACE = _named(".mp4")
MOMENT = Rule("'first', 'last', or seconds from the start of the video", _moment)
SOURCE = replace(PLACE, words=f"{PLACE.words}, or the result of a task that has stored it", read=_place_or_result)
SOURCES = Rule("a list of clips, each of them " + SOURCE.words, _places, is_text=False)
PICTURE = replace(SOURCE, words="a URL, a data: URI, " + SOURCE.words).or_nothing
FURTHER_VIDEO_FIELDS = Rule("", _further_fields(FIELDS_OF_VIDEO), is_text=False).or_nothing
FURTHER_CHAT_FIELDS = Rule("", _further_fields(FIELDS_OF_CHAT), is_text=False).or_nothing
SECONDS = Rule("a time above 0 and of at most 365 days: seconds as a number, or a timedelta", _seconds)
DURATION = replace(SECONDS, read=lambda value: timedelta(seconds=_seconds(value)))
SENSOR_TIMEOUT = replace(SECONDS, read=lambda value: value and _seconds(value))  # Airflow allows 0, too
COUNT = Rule("a whole number, 1 or more", _whole_from(1))
CHAT_COUNT = Rule(f"a whole number from 1 to {MOST_CHAT_VIDEOS}", _whole_from(1, MOST_CHAT_VIDEOS))
FLAG = Rule("True or False", _flag)
MOST_BYTES = Rule(
    "a whole number of bytes above 0, like 2 * 2**30 for 2 GiB, or None for no limit",
    lambda value: sys.maxsize if value is None else _whole_from(1)(value),
)
