"""Turn errors of file systems and of storages' drivers into errors of this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_veo.api.errors import StorageError, VeoError


@contextmanager
def storage_errors(problem: str, allowed: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn each exception of a file system or of a storage's driver into a `StorageError`.

    Args:
        problem: Beginning of the error's text, as a sentence that names the path.
        allowed: Classes of exceptions that pass unchanged. A `VeoError` always does.

    Raises:
        StorageError: The block has raised any other exception.
    """
    try:
        yield
    except VeoError:
        raise
    except Exception as error:  # drivers raise exceptions of any class
        if isinstance(error, allowed):
            raise
        raise StorageError(f"{problem}: {text_of(error)}.") from error


def text_of(error: Exception) -> str:
    """Return the text of an error, for use within a sentence."""
    text = str(error) if isinstance(error, VeoError) else f"{type(error).__name__}: {error}"
    return text.strip().rstrip(".")
