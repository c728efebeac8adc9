"""The salvage folder, for a paid video that its destination does not take: gateways delete a video within a day.

Nothing is ever removed from the folder, and a file in it is replaced only by the same video.
"""

from __future__ import annotations

import hashlib
import logging

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.storage.destinations import read_folder
from airflow_provider_veo.storage.names import OURS, clean_beginning
from airflow_provider_veo.storage.targets import Target

_LONGEST_LABEL = 60  # letters of the id, for people

log = logging.getLogger(__name__)


def read_salvage_folder() -> Target | None:
    """Return the folder of `[veo] salvage`, by default one below `[veo] storage`; None if neither is set.

    Raises:
        InvalidInputError: The option is neither an absolute path nor a URI, or this Airflow cannot reach the folder.
    """
    if folder := read_folder("salvage"):
        return folder
    storage = read_folder("storage")
    return storage.below(OURS, "salvage") if storage else None


def find_salvage_target(base_url: str, video_id: str | None, url: str | None) -> Target | None:
    """Return the target of a video in the salvage folder; None if there is no such folder.

    Each video has one target there, which no other video has.

    Args:
        base_url: Base URL of the server.
        video_id: ID of the job, or None.
        url: Address of the file, or None.
    """
    try:
        folder = read_salvage_folder()
    except InvalidInputError as error:
        log.warning("The salvage folder cannot be used. %s", error)
        return None
    identity = "\0".join((base_url, video_id or "", url or "")).encode("utf-8", "surrogatepass")
    label = clean_beginning(video_id or "video", _LONGEST_LABEL)
    return folder.below(f"{label}~{hashlib.sha256(identity).hexdigest()[:32]}.mp4") if folder else None
