"""The operators that take a frame out of a video, and that join videos into a film."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

from airflow_provider_veo import records
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.exceptions import fail_fast
from airflow_provider_veo.operators.base import VeoTask
from airflow_provider_veo.reporting import conclude, failures_reported
from airflow_provider_veo.storage import checksums, files, places
from airflow_provider_veo.storage.names import VIDEO_ID_PLACEHOLDER
from airflow_provider_veo.storage.proof import proof_of

if TYPE_CHECKING:
    from airflow_provider_veo.media.still import PictureType

_PICTURE_TYPES: dict[str, PictureType] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}


class VeoExtractFrameOperator(VeoTask):
    """Stores one frame of a video as a picture: the last frame of one clip is the first frame of the next.

    Needs `pip install 'airflow-provider-veo[media]'`, and no connection.

    Args:
        source: the video: absolute path, URI such as `s3://conn_id@bucket/key.mp4`, `ObjectStoragePath`, path relative
            to `[veo] storage`, or the result of a create or download task: `create.output`, also mapped.
        destination: where the picture goes, as for a video; `.png`, `.jpg` or `.jpeg` says what it is. A picture that
            is there already is replaced.
        at: `last` for the very last frame shown, `first`, or seconds from the start of the video: the frame that is on
            screen then.

    Returns:
        A dictionary of `path`, `bytes`, `sha256`, `width` and `height` (in pixels, as shown), and `seconds` (when the
        frame comes on screen).

    Raises:
        VeoFailException: the task cannot succeed as it is; no retry.
    """

    template_fields: Sequence[str] = ("source", "destination", "at")
    ui_color = "#fef7e0"

    def __init__(
        self, *, source: places.Source, destination: places.Destination, at: float | str = "last", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.destination = destination
        self.at = at

    def execute(self, context: Context) -> dict[str, Any]:
        """Store the frame."""
        with failures_reported(context), fail_fast():
            with _needs_av():
                from airflow_provider_veo.media.clip import Source  # noqa: PLC0415 - see _needs_av
                from airflow_provider_veo.media.still import extract_frame  # noqa: PLC0415
            at = _moment(self.at)
            target = _target(self.destination, _PICTURE_TYPES)
            self._check_own_place(context)
            kind = _PICTURE_TYPES[target.suffix.lower()]
            source = places.find(self.source, "source")
            with files.local_copy(source) as video, files.staged(target) as part:
                still = extract_frame(Source(str(source), video), part, kind=kind, at=at)
                stored, proof = _described(target, part)
            conclude(context, records.stored(stored, proof, f"image/{kind}"))
        return stored | {"width": still.width, "height": still.height, "seconds": still.seconds}


class VeoConcatOperator(VeoTask):
    """Joins videos into one film, with their sound.

    Clips of one model are copied as they are: no loss, and done in a moment. Where clips differ, all are encoded anew
    (H.264 and AAC), in the size and at the frame rate of the first. Clips in object storage are copied to the worker's
    disk for a while. Needs `pip install 'airflow-provider-veo[media]'`, and no connection.

    Args:
        sources: the clips in their order, each as `source` of `VeoExtractFrameOperator`; also the output of a mapped
            create or download task.
        destination: where the film goes, as for a video; it ends in `.mp4`. A film that is there already is replaced.

    Returns:
        A dictionary of `path`, `bytes`, `sha256`, `seconds` (length of the picture), `clips` (how many), and
        `reencoded` (whether the clips had to be encoded anew).

    Raises:
        VeoFailException: the task cannot succeed as it is; no retry.
    """

    template_fields: Sequence[str] = ("sources", "destination")
    ui_color = "#fef7e0"

    def __init__(self, *, sources: Sequence[places.Source], destination: places.Destination, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sources = sources
        self.destination = destination

    def execute(self, context: Context) -> dict[str, Any]:
        """Store the film."""
        with failures_reported(context), fail_fast():
            with _needs_av():
                from airflow_provider_veo.media.clip import Source  # noqa: PLC0415 - see _needs_av
                from airflow_provider_veo.media.concat import concat  # noqa: PLC0415
            target = _target(self.destination, (".mp4",))
            self._check_own_place(context)
            sources = [places.find(source, f"sources[{n}]") for n, source in enumerate(_listed(self.sources))]
            with ExitStack() as copies, files.staged(target) as part:
                clips = [Source(str(source), copies.enter_context(files.local_copy(source))) for source in sources]
                film = concat(clips, part)
                stored, proof = _described(target, part)
            conclude(context, records.stored(stored, proof))
        if film.reencoded:
            self.log.info("The clips were encoded anew: %s", film.reencoded)
        return stored | {"seconds": film.seconds, "clips": film.clips, "reencoded": film.reencoded is not None}


@contextmanager
def _needs_av() -> Iterator[None]:
    """Explain a failed import. PyAV is loaded by the task, since no Dag file needs its 60 MB."""
    try:
        yield
    except ImportError as error:
        raise InvalidInputError(
            f"This operator needs PyAV ({error}): pip install 'airflow-provider-veo[media]' on the workers."
        ) from error


def _moment(at: float | str) -> float | None:
    """Return seconds from the start, or None for the last frame."""
    if at == "last":
        return None
    try:
        seconds = 0.0 if at == "first" else float(at)
    except (TypeError, ValueError):
        seconds = math.nan
    if isinstance(at, bool) or not 0 <= seconds < math.inf:
        raise InvalidInputError(f"at is {at!r}; it must be 'first', 'last', or seconds from the start of the video.")
    return seconds


def _target(destination: places.Destination, known: Iterable[str]) -> places.Target:
    text = str(destination or "").strip()
    if VIDEO_ID_PLACEHOLDER in text:
        raise InvalidInputError(f"destination {text!r} has {VIDEO_ID_PLACEHOLDER} in it, and there is no job here.")
    target = places.resolve(destination)
    if text.endswith("/") or target.suffix.lower() not in known:
        raise InvalidInputError(f"destination {text!r} must be a file name that ends in {' or '.join(known)}.")
    return target


def _listed(sources: Any) -> list[places.Source]:
    is_one = isinstance(sources, (str, Mapping, os.PathLike, ObjectStoragePath))
    if is_one or not isinstance(sources, Iterable):
        raise InvalidInputError(f"sources must be a list of clips, not one {type(sources).__name__}.")
    listed = list(sources)
    if not listed:
        raise InvalidInputError("sources is empty: there are no clips to join.")
    return listed


def _described(target: places.Target, part: Path) -> tuple[dict[str, Any], str]:
    """Return what the result says of a file, and the proof for the page's record."""
    told = {"path": str(target), "bytes": part.stat().st_size, "sha256": checksums.sha256_of(part)}
    with part.open("rb") as file:
        return told, proof_of(file)
