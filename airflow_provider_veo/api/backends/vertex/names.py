"""Names of Google's models and operations. They become parts of addresses, so a wrong one is never sent."""

from __future__ import annotations

import re

from airflow_provider_veo.api.answers.answer import is_usable_id
from airflow_provider_veo.api.answers.text import show
from airflow_provider_veo.api.errors import InvalidInputError

_PART = r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,254}"
_PATH = re.compile(rf"projects/{_PART}/locations/{_PART}/publishers/google/models/{_PART}")
# forms that the official client takes; it builds a wrong address from the last one (google-genai 3.6.1)
_MODEL = re.compile(rf"(?:publishers/google/models/|google/|models/)?({_PART})")
_OPERATION = re.compile(rf"({_PATH.pattern})/operations/{_PART}")
_PROJECT = re.compile(_PART)
_LOCATION = re.compile("[a-z][a-z0-9-]{0,62}")


def check_project(project: str, location: str) -> None:
    """Refuse names that cannot be those of a project and a location. They become parts of addresses.

    Args:
        project: ID of the project, as the connection has it.
        location: Location, as the connection has it.

    Raises:
        InvalidInputError: A name is empty, or has characters that no such name has.
    """
    for field, value, pattern in (("project", project, _PROJECT), ("location", location, _LOCATION)):
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise InvalidInputError(f"{field} of the connection is {show(value)}, which is no name of Google Cloud.")


def make_model_path(model: str, project: str, location: str) -> str:
    """Return the whole name of a model, which is also its path.

    Args:
        model: Name of the model, such as `veo-3.1-generate-001`, or its whole name, which is taken as it is.
        project: ID of the project that orders.
        location: Location of the order, such as `us-central1`.

    Raises:
        InvalidInputError: The text cannot be the name of one of Google's models.
    """
    if _PATH.fullmatch(model):
        return model
    found = _MODEL.fullmatch(model)
    if found is None:
        raise InvalidInputError(f"model is {show(model)}; it must be a name like 'veo-3.1-generate-001'.")
    return f"projects/{project}/locations/{location}/publishers/google/models/{found[1]}"


def read_model_id(name: str) -> str:
    """Return the last part of a model's name, such as `veo-3.1-generate-001`.

    Args:
        name: Name of a model, in any form.
    """
    return name.rpartition("/")[2]


def find_model_path(operation: str) -> str | None:
    """Return the whole name of the model in the name of an operation; None if the text is not such a name.

    Args:
        operation: Name of the operation.
    """
    found = _OPERATION.fullmatch(operation) if is_usable_id(operation) else None
    return found and found[1]


def read_model_path(operation: str) -> str:
    """Return the whole name of the model in the name of an operation.

    Args:
        operation: Name of the operation: the ID of a job.

    Raises:
        InvalidInputError: The text is not the name of an operation of one of Google's models.
    """
    path = find_model_path(operation) if isinstance(operation, str) else None
    if path is None:
        raise InvalidInputError(
            f"video_id is {show(operation)}; it must be the name of an operation: "
            "'projects/P/locations/L/publishers/google/models/M/operations/ID'."
        )
    return path
