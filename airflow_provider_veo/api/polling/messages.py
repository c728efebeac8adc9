"""Texts about a wait: the line for the log when something has changed, and the explanation when the wait ends."""

from __future__ import annotations

from airflow_provider_veo.api.errors import VeoError
from airflow_provider_veo.api.video import Video, VideoStatus


def describe_progress(video: Video, elapsed: float, failures: int) -> str:
    """Return the log line for a changed status.

    Args:
        video: Job with its new status.
        elapsed: Seconds since the order.
        failures: Number of failed status calls since the last good one.
    """
    progress = "" if video.progress is None else f" {video.progress:g} %"
    is_unknown = video.status_word and video.status is VideoStatus.UNKNOWN
    unknown = " (an unknown status, taken as running)" if is_unknown else ""
    after = f"{elapsed:.0f} s after the order"
    if failures:
        after += f" and {count_failures(failures)}"
    return f"Video {video.id}: {video.status_word or 'accepted'}{progress}{unknown}, {after}"


def describe_failure(video_id: str, error: VeoError) -> str:
    """Return the log line for a failed status call that will be repeated."""
    return f"Video {video_id}: The status call failed and will be repeated. {error}"


def explain_unknown_job(video_id: str, failures: int, error: VeoError) -> str:
    """Return the explanation for a job that the server does not know."""
    return (
        f"The server does not know video {video_id} ({count_failures(failures)}). If it was ordered, it may have been "
        f"billed. Last error: {error}"
    )


def explain_unknown_status(video_id: str, failures: int, error: VeoError) -> str:
    """Return the explanation for a status that could not be read."""
    return (
        f"The status of video {video_id} could not be read ({count_failures(failures)} in a row). The job may still be "
        f"running, and is billed if it completes. Last error: {error}"
    )


def explain_timeout(
    video_id: str, elapsed: float, status: VideoStatus, progress: float | None, failures: int, error: VeoError | None
) -> str:
    """Return the explanation for a job that was not finished at the deadline.

    Args:
        video_id: ID of the job.
        elapsed: Seconds since the order.
        status: Last known status of the job.
        progress: Last known progress in percent.
        failures: Number of failed status calls since the last good one.
        error: Error of the last status call; None if the server answered.
    """
    at = "" if progress is None else f" at {progress:g} %"
    message = (
        f"Video {video_id} was not finished {elapsed:.0f} s after the order (last status: {status.value}{at}). The job "
        "may still finish, and is billed then."
    )
    if error is None:
        return message
    return f"{message} The last status calls failed ({count_failures(failures)} in a row). Last error: {error}"


def count_failures(failures: int) -> str:
    """Return a number of failed calls as text."""
    return f"{failures} failed call{'s' if failures > 1 else ''}"
