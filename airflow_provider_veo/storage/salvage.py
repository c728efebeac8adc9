"""The place of a paid video that its destination does not take: gateways forget a video within a day.

Nothing is ever removed from there, and nothing in it is replaced by anything but the same video.
"""

from __future__ import annotations

import hashlib
import logging

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.storage.names import OURS, beginning
from airflow_provider_veo.storage.places import Target, below, folder_of

_LONGEST_LABEL = 60  # letters of the id, for people

log = logging.getLogger(__name__)


def folder() -> Target | None:
    """Return the folder of `[veo] salvage`, by default one below `[veo] storage`; None where neither is set.

    Raises:
        InvalidInputError: the option is no absolute path and no URI, or this Airflow cannot reach it.
    """
    if own := folder_of("salvage"):
        return own
    storage = folder_of("storage")
    return below(storage, OURS, "salvage") if storage else None


def place_for(base_url: str, video_id: str | None, url: str | None) -> Target | None:
    """Return where a video lies in salvage, if it was ever put there: each video has one place, and it one video.

    Args:
        base_url: of the gateway.
        video_id: of the job, or None.
        url: of the file, or None.
    """
    try:
        where = folder()
    except InvalidInputError as error:
        log.warning("There is no salvage. %s", error)
        return None
    identity = "\0".join((base_url, video_id or "", url or "")).encode("utf-8", "surrogatepass")
    label = beginning(video_id or "video", _LONGEST_LABEL)
    return below(where, f"{label}~{hashlib.sha256(identity).hexdigest()[:32]}.mp4") if where else None
