"""The operators that take a frame out of a video, and that join videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import Context

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.exceptions import fail_fast
from airflow_provider_veo.observability.page import describe_file
from airflow_provider_veo.operators.base import VeoTask
from airflow_provider_veo.storage import checksums, destinations
from airflow_provider_veo.storage.proof import make_proof
from airflow_provider_veo.storage.targets import Target
from airflow_provider_veo.tasks import arguments
from airflow_provider_veo.tasks.run import TaskRun

if TYPE_CHECKING:
    from airflow_provider_veo.media.still import PictureType

_PICTURE_TYPES: dict[str, PictureType] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}


class VeoExtractFrameOperator(VeoTask):
    """Stores one frame of a video as a picture. The last frame of one video can be the first frame of the next.

    The picture is as players show it: rotated and mirrored as the video says, in square pixels. The task needs
    `pip install 'airflow-provider-veo[media]'`, and no connection.

    Args:
        source: The video, as an absolute path, a URI such as `s3://conn_id@bucket/key.mp4`, an `ObjectStoragePath`, a
            path relative to `[veo] storage`, or the result of a create or download task (`create.output`, also mapped).
        destination: Destination of the picture, as for a video. Its ending `.png`, `.jpg` or `.jpeg` is the
            format. A picture that is there already is replaced.
        at: `last` for the last frame that is shown, `first` for the first one, or seconds from the start of the video
            for the frame that is on screen then.

    Returns:
        A dictionary of `path`, `bytes`, `sha256`, `width` and `height` (in pixels, as shown), and `seconds` (when the
        frame comes on screen).

    Raises:
        VeoFailException: The task cannot succeed as it is. Airflow does not retry it.
    """

    template_fields: Sequence[str] = ("source", "destination", "at")
    ui_color = "#fef7e1"
    argument_rules: ClassVar[Mapping[str, arguments.ArgumentRule]] = {
        "source": arguments.SOURCE,
        "destination": arguments.PICTURE_PLACE,
        "at": arguments.MOMENT,
    }

    def __init__(
        self,
        *,
        source: destinations.FileSource,
        destination: destinations.Destination,
        at: float | str = "last",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.destination = destination
        self.at = at
        self._check_arguments()

    def execute(self, context: Context) -> dict[str, Any]:
        """Store the frame."""
        run = TaskRun(context, self.log)
        with run.reporting_failures(), fail_fast():
            self._settle_arguments()
            with _needs_av():
                from airflow_provider_veo.media.clip import Source  # noqa: PLC0415 - see _needs_av
                from airflow_provider_veo.media.still import extract_frame  # noqa: PLC0415
            at = None if self.at == "last" else 0.0 if self.at == "first" else float(self.at)
            target = destinations.resolve(self.destination)
            self._check_own_place(run)
            kind = _PICTURE_TYPES[target.suffix.lower()]
            source = destinations.find_source(self.source, "source")
            with source.local_copy() as video, target.staged() as part:
                still = extract_frame(Source(str(source), video), part, kind=kind, at=at)
                stored, proof = _describe(target, part)
            run.report_outcome(describe_file(stored, proof, f"image/{kind}"))
        return stored | {"width": still.width, "height": still.height, "seconds": still.seconds}


class VeoConcatOperator(VeoTask):
    """Joins videos into one video, with their sound.

    Videos of one model are copied as they are, without loss and within seconds. If videos differ, all of them are
    encoded again (H.264 and AAC), in the size that the first has on screen, and at its frame rate. Videos in object
    storage are copied to the worker's disk for the time of the task. The task needs
    `pip install 'airflow-provider-veo[media]'`, and no connection.

    Args:
        sources: The videos in their order, each as `source` of `VeoExtractFrameOperator`; or the output of a mapped
            create or download task.
        destination: Destination of the joined video; it ends in `.mp4`. A file that is there already is replaced.

    Returns:
        A dictionary of `path`, `bytes`, `sha256`, `seconds` (length of the joined picture), `clips` (number of videos),
        and `reencoded` (whether the videos had to be encoded again).

    Raises:
        VeoFailException: The task cannot succeed as it is. Airflow does not retry it.
    """

    template_fields: Sequence[str] = ("sources", "destination")
    ui_color = "#fef7e1"
    argument_rules: ClassVar[Mapping[str, arguments.ArgumentRule]] = {
        "sources": arguments.SOURCES,
        "destination": arguments.VIDEO_PLACE,
    }

    def __init__(
        self, *, sources: Sequence[destinations.FileSource], destination: destinations.Destination, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sources = sources
        self.destination = destination
        self._check_arguments()

    def execute(self, context: Context) -> dict[str, Any]:
        """Store the joined video."""
        run = TaskRun(context, self.log)
        with run.reporting_failures(), fail_fast():
            self._settle_arguments()
            with _needs_av():
                from airflow_provider_veo.media.clip import Source  # noqa: PLC0415 - see _needs_av
                from airflow_provider_veo.media.concat import concat  # noqa: PLC0415
            target = destinations.resolve(self.destination)
            self._check_own_place(run)
            sources = [destinations.find_source(source, f"sources[{n}]") for n, source in enumerate(self.sources)]
            with ExitStack() as copies, target.staged() as part:
                clips = [Source(str(source), copies.enter_context(source.local_copy())) for source in sources]
                video = concat(clips, part)
                stored, proof = _describe(target, part)
            run.report_outcome(describe_file(stored, proof))
        if video.reencoded:
            self.log.info("The clips were encoded again: %s", video.reencoded)
        return stored | {"seconds": video.seconds, "clips": video.clips, "reencoded": video.reencoded is not None}


@contextmanager
def _needs_av() -> Iterator[None]:
    """Explain a failed import. The task loads PyAV, since no Dag file needs its 60 MB.

    Raises:
        InvalidInputError: PyAV is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise InvalidInputError(
            f"This operator needs PyAV, which cannot be imported ({error}). Install it on the workers: "
            "pip install 'airflow-provider-veo[media]'"
        ) from error


def _describe(target: Target, part: Path) -> tuple[dict[str, Any], str]:
    """Return the part of the result that describes a file, and the proof for the page entry."""
    result = {"path": str(target), "bytes": part.stat().st_size, "sha256": checksums.hash_file(part)}
    with part.open("rb") as file:
        return result, make_proof(file)
