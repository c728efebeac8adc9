"""Wait for something that happens in another process or thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    what: str, condition: Callable[[], T], timeout: float, *, pause: float = 0.3, details: Callable[[], str] = str
) -> T:
    """Call a condition again and again until its value is true, and return that value.

    Args:
        what: The expected event, for the error: "the run to end".
        condition: Called without arguments.
        timeout: Seconds after which the wait is given up.
        pause: Seconds between two calls of the condition.
        details: Called at a timeout. Returns text that is added to the error, for example the end of a log.

    Raises:
        TimeoutError: The condition was not true in time.
    """
    give_up_at = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"Waited {timeout:g} s in vain for {what}. {details()}".strip())
        time.sleep(pause)
    return value
