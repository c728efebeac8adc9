"""The progress of a job, as the text that Airflow's UI and the Veo page show."""

from __future__ import annotations

from airflow_provider_veo.api.video import Video


def format_progress(status: str, percent: float | None) -> str:
    """Return the progress as a text, for example `processing 42 %`. Airflow's UI would fold up any other value.

    Args:
        status: Status word of the server.
        percent: Progress from 0 to 100; None if the server does not report it.
    """
    return status if percent is None else f"{status} {percent:g} %"


def format_progress_of(video: Video) -> str:
    """Return the progress of a running job as a text.

    Args:
        video: Answer to a status call.
    """
    return format_progress(video.status_word or video.status.value, video.progress)
