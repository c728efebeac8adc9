"""How errors of file systems and of storages' drivers become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_veo.api.errors import StorageError, VeoError


@contextmanager
def storage_errors(what: str, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn each exception of a file system or a storage's driver into an error of this package.

    Args:
        what: failed, as the beginning of a sentence that names the path.
        but: exceptions that pass as they are.

    Raises:
        StorageError: in place of any other exception that is no `VeoError`.
    """
    try:
        yield
    except VeoError:
        raise
    except Exception as error:  # drivers raise whatever they like
        if isinstance(error, but):
            raise
        raise StorageError(f"{what}: {words_of(error)}.") from error


def words_of(error: Exception) -> str:
    """Return how an error is told within a sentence."""
    told = str(error) if isinstance(error, VeoError) else f"{type(error).__name__}: {error}"
    return told.strip().rstrip(".")
