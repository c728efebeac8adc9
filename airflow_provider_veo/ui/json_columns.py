"""Columns of JSON in Airflow's database, read so that no value in them breaks a statement.

A page entry can hold anything, since users can write XComs of the same name by Airflow's API. So entries are read as
texts of a bounded length and parsed here, and the database itself only looks into JSON that it can surely read.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import JSON, Text, TypeDecorator, case, func
from sqlalchemy import cast as sql_cast
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from airflow_provider_veo.ui.views import LONGEST_NAME

_LONGEST = 500_000
"""Letters of an entry as JSON, ten times as many as this provider writes. A longer entry counts as missing."""


class _Readable(FunctionElement[Any]):
    """A JSON value that the database can look into.

    SQLite stores JSON as text, and parses it for each statement. It refuses the whole statement if one row has a NaN,
    which Python writes into JSON. Other databases refuse NaN when it is written.
    """

    type = JSON()
    inherit_cache = True


@compiles(_Readable)
def _compile_unchanged(element: Any, compiler: Any, **how: Any) -> str:
    return str(compiler.process(element.clauses, **how))


@compiles(_Readable, "sqlite")
def _compile_if_valid(element: Any, compiler: Any, **how: Any) -> str:
    value = compiler.process(element.clauses, **how)
    return f"CASE WHEN json_valid({value}) THEN {value} END"


class _Decoded(TypeDecorator[str]):
    """A text that SQLite returns as bytes."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Any) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the text. Half an emoji in it becomes a question mark."""
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


class SafeText(FunctionElement[Any]):
    """A text that can surely be read.

    SQLite stores half an emoji in JSON, and its driver would refuse to read it as a text. Other databases refuse it
    when it is written.
    """

    type = _Decoded()
    inherit_cache = True


@compiles(SafeText, "sqlite")
def _compile_as_bytes(element: Any, compiler: Any, **how: Any) -> str:
    return f"CAST({_compile_unchanged(element, compiler, **how)} AS BLOB)"


compiles(SafeText)(_compile_unchanged)


def text_in(xcom: Any, name: str) -> Any:
    """Return the value of an entry under a name, as a text of a bounded length."""
    return func.substr(_Readable(xcom.value)[name].as_string(), 1, LONGEST_NAME)


def as_text(xcom: Any) -> Any:
    """Return a whole entry as JSON text; NULL instead of one that is far too long."""
    text = sql_cast(xcom.value, Text)
    return case((func.length(text) <= _LONGEST, text))


def parse_entry(text: str | None) -> dict[str, Any] | None:
    """Return a page entry; None if the text is not a JSON object, since a user has written the XCom.

    Args:
        text: JSON text of the XCom; None if there is none.
    """
    value = parse_json(text)
    return value if isinstance(value, dict) else None


def parse_json(text: str | None) -> Any:
    """Return the value of a JSON text; None for a text that is not valid, or too deep. NaN in it becomes None.

    Args:
        text: JSON text; None if there is none.
    """
    try:
        return json.loads(text, parse_constant=lambda _name: None) if text is not None else None
    except (ValueError, RecursionError):
        return None
