"""Rules of Veo on Google Cloud that an order must keep.

The API takes many wrong orders, and reports the mistake minutes later as a failed job. So the rules are checked before
the order. Sources: Google's pages VideoGenerationModelInstance and VideoGenerationModelParams, its pages about the
models and the extension of videos, and failed jobs in public notes, read in November 2026.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_veo.api.answers.text import is_plain_text, show
from airflow_provider_veo.api.backends.vertex.bodies import FIELDS, Body, find_argument, make_body
from airflow_provider_veo.api.backends.vertex.models import MODELS, VeoModel
from airflow_provider_veo.api.backends.vertex.names import read_model_id
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.specs import VideoSpec

_SECONDS = (4, 6, 8)
_EXTENSION_SECONDS = 7
_RATIOS = ("16:9", "9:16")
_MOST_SAMPLES = 4
_LARGEST_UINT32 = 2**32 - 1
_MOST_REFERENCES = 3
_PERSONS = ("allow_adult", "dont_allow")
_PERSONS_IN_DOUBT = ("allow_all", "disallow")
_PICTURES = ("image/jpeg", "image/png")
_VIDEOS = tuple(f"video/{kind}" for kind in ("mp4", "mov", "mpeg", "mpg", "avi", "wmv", "mpegps", "flv"))
_BUCKET = re.compile(r"gs://[a-z0-9][a-z0-9._-]{0,221}(/.*)?", re.DOTALL)
_LONGEST_URI = 2_048  # characters
_LABEL = re.compile(r"[\w-]{0,63}")
_LONGEST_PROMPT = 4 * 1_024  # characters: the limit is 1,024 tokens, and a token of English has about four


@dataclass(frozen=True)
class _Order:
    spec: VideoSpec
    body: Body
    model: VeoModel | None

    @property
    def instance(self) -> Mapping[str, Any]:
        return self.body.instance

    @property
    def parameters(self) -> Mapping[str, Any]:
        return self.body.parameters

    @property
    def model_name(self) -> str:
        return show(read_model_id(self.spec.model))

    @property
    def is_extension(self) -> bool:
        return "video" in self.instance

    def name(self, field: str) -> str:
        """Return the name under which the author of a Dag knows a field."""
        place = "instances" if field in self.instance else "parameters"
        return find_argument(self.spec, field) or f"extra_body {place} {field}"

    def refuse(self, field: str, rule: str) -> str:
        """Return a sentence that names a field with its value, and the rule of the model."""
        argument = find_argument(self.spec, field)
        value = getattr(self.spec, argument) if argument else self.parameters.get(field)
        shown = f" is {show(value)}" if value is not None and field not in self.instance else ""
        return f"{self.name(field)}{shown}: model {self.model_name} {rule}"


def check(spec: VideoSpec, output_uri: str | None) -> Iterator[str]:
    """Yield a warning for each value that the API may not take as it is meant.

    Args:
        spec: Order for one video.
        output_uri: Address of the bucket and folder in which Google stores the video, or None.

    Raises:
        InvalidInputError: The order breaks a rule.
    """
    order = _Order(spec, make_body(spec, output_uri), MODELS.get(read_model_id(spec.model)))
    for rule in _REFUSALS:
        for problem in rule(order):
            raise InvalidInputError(problem)
    for rule in _WARNINGS:
        yield from rule(order)


def check_bucket(uri: Any, name: str) -> None:
    """Refuse a text that is not the address of a folder in a bucket.

    Args:
        uri: Value of a field or an argument.
        name: Name of that field or argument.

    Raises:
        InvalidInputError: It is not such an address.
    """
    is_text = isinstance(uri, str) and len(uri) <= _LONGEST_URI and is_plain_text(uri)
    if not is_text or not _BUCKET.fullmatch(uri):
        raise InvalidInputError(
            f"{name} is {show(uri)}; it must be the address of a folder like 'gs://bucket/folder/'."
        )


def _refuse_combinations(order: _Order) -> Iterator[str]:
    instance = order.instance
    sources = [field for field in ("image", "video", "referenceImages") if field in instance]
    if len(sources) > 1:
        names = " and ".join(order.name(field) for field in sources)
        yield f"{names} cannot be combined: model {order.model_name} takes one of them."
    if "lastFrame" in instance and "image" not in instance:
        yield order.refuse("lastFrame", "takes it only together with first_frame.")


def _refuse_length(order: _Order) -> Iterator[str]:
    seconds = order.parameters.get("durationSeconds")
    if order.model is None or seconds is None:
        return
    if order.is_extension and not _is_one_of(seconds, (_EXTENSION_SECONDS,)):
        yield order.refuse("durationSeconds", f"extends a video by exactly {_EXTENSION_SECONDS} seconds.")
    if not order.is_extension and not _is_one_of(seconds, _SECONDS):
        yield order.refuse("durationSeconds", "makes videos of 4, 6 or 8 seconds.")


def _refuse_shape(order: _Order) -> Iterator[str]:
    if order.model is None:
        return
    resolutions = tuple(order.model.prices)
    if not _is_one_of(order.parameters.get("resolution", "720p"), resolutions):
        yield order.refuse("resolution", f"makes videos of {', '.join(resolutions)}.")
    if not _is_one_of(order.parameters.get("aspectRatio", "16:9"), _RATIOS):
        yield order.refuse("aspectRatio", f"makes videos of {' and '.join(_RATIOS)}.")


def _refuse_number_of_videos(order: _Order) -> Iterator[str]:
    count = order.parameters.get("sampleCount", 1)
    if not _is_whole(count, 1, _MOST_SAMPLES):
        yield order.refuse("sampleCount", f"makes 1 to {_MOST_SAMPLES} videos at once.")
    elif count > 1 and "storageUri" not in order.parameters:
        yield (
            f"{order.name('sampleCount')} is {count}: a task stores one video, and the others would be paid for and "
            f"lost. Order one video of model {order.model_name} at a time, or set output_uri of the connection."
        )


def _refuse_options(order: _Order) -> Iterator[str]:
    options = order.parameters
    if "seed" in options and not _is_whole(options["seed"], 0, _LARGEST_UINT32):
        yield order.refuse("seed", f"takes whole numbers from 0 to {_LARGEST_UINT32}.")
    if order.model and options.get("enhancePrompt") is False:
        yield order.refuse("enhancePrompt", "always enhances the prompt. Leave it out.")
    if not _is_one_of(options.get("personGeneration", _PERSONS[0]), (*_PERSONS, *_PERSONS_IN_DOUBT)):
        yield order.refuse("personGeneration", f"takes {' and '.join(_PERSONS)}.")
    if "generateAudio" in options and read_model_id(order.spec.model).startswith("veo-2"):
        yield order.refuse("generateAudio", "makes no sound.")
    if "storageUri" in options:
        check_bucket(options["storageUri"], order.name("storageUri"))


def _refuse_media(order: _Order) -> Iterator[str]:
    for field in ("image", "lastFrame"):
        if field in order.instance:
            yield from _refuse_file(order, field, order.instance[field], _PICTURES)
    if order.is_extension:
        yield from _refuse_file(order, "video", order.instance["video"], _VIDEOS)


def _refuse_references(order: _Order) -> Iterator[str]:
    field = "referenceImages"
    references = order.instance.get(field)
    if references is None:
        return
    if order.model and not order.model.takes_references:
        yield order.refuse(field, "takes no reference images.")
    if not isinstance(references, list) or not all(isinstance(item, Mapping) for item in references):
        yield order.refuse(field, "takes a list of dictionaries with image and referenceType.")
        return
    kinds = [str(item.get("referenceType")).lower() for item in references]
    is_of_assets = 0 < len(kinds) <= _MOST_REFERENCES and set(kinds) == {"asset"}
    if order.model and not is_of_assets:
        yield order.refuse(field, f"takes 1 to {_MOST_REFERENCES} images of the referenceType ASSET.")
    elif not (is_of_assets or kinds == ["style"]):
        yield order.refuse(field, f"takes 1 to {_MOST_REFERENCES} images of the referenceType ASSET, or one of STYLE.")
    for item in references:
        yield from _refuse_file(order, field, item.get("image"), _PICTURES)


def _refuse_file(order: _Order, field: str, file: Any, kinds: Collection[str]) -> Iterator[str]:
    if not isinstance(file, Mapping) or ("bytesBase64Encoded" in file) == ("gcsUri" in file):
        yield order.refuse(field, "takes a dictionary with mimeType, and with bytesBase64Encoded or gcsUri.")
    elif not _is_one_of(file.get("mimeType"), kinds):
        yield order.refuse(field, f"takes the types {', '.join(kinds)}, and not {show(file.get('mimeType'))}.")


def _refuse_labels(order: _Order) -> Iterator[str]:
    labels = order.body.others.get("labels", {})
    pairs: Iterable[tuple[Any, Any]] = labels.items() if isinstance(labels, Mapping) else [(labels, None)]
    for key, value in pairs:
        if not (_is_label(key) and key[:1].isalpha() and _is_label(value)):
            yield (
                f"extra_body labels has {show(key)}: model {order.model_name} takes names and values of up to 63 lower "
                "case letters, digits, '_' and '-', and a name begins with a letter."
            )


def _warn_of_length(order: _Order) -> Iterator[str]:
    seconds = order.parameters.get("durationSeconds", 8)
    if order.model is None or order.is_extension or seconds == 8:
        return
    # a rule of Veo on the Gemini API, which is shut down; it was not confirmed for Google Cloud
    reasons = [order.name(field) for field in ("lastFrame", "referenceImages") if field in order.instance]
    reasons += [order.name("resolution")] * (order.parameters.get("resolution", "720p") != "720p")
    for reason in reasons:
        yield (
            f"{order.name('durationSeconds')} is {seconds}: with {reason}, model {order.model_name} may make videos of "
            "8 seconds only, so that the job would fail."
        )


def _warn_of_number_of_videos(order: _Order) -> Iterator[str]:
    count = order.parameters.get("sampleCount", 1)
    if count > 1:
        yield (
            f"{order.name('sampleCount')} is {count}: each video of model {order.model_name} is charged, and the task "
            "stores the first one only. The others stay in the bucket."
        )


def _warn_of_choices(order: _Order) -> Iterator[str]:
    options = order.parameters
    if "seed" in options and options.get("enhancePrompt") is True:
        yield f"{order.name('seed')}: model {order.model_name} makes other videos each time if enhancePrompt is True."
    if "seed" in options and options.get("sampleCount", 1) > 1:
        yield f"{order.name('seed')}: model {order.model_name} does not use it as it is if sampleCount is above 1."
    if options.get("personGeneration") in _PERSONS_IN_DOUBT:
        shown = show(options["personGeneration"])
        yield (
            f"{order.name('personGeneration')} is {shown}: model {order.model_name} may refuse it, since Google allows "
            "allow_all to some projects only, and its pages differ on disallow and dont_allow."
        )


def _warn_of_source(order: _Order) -> Iterator[str]:
    if order.model and order.is_extension and order.instance["video"]["mimeType"] != "video/mp4":
        yield f"{order.name('video')}: model {order.model_name} may extend videos of the type video/mp4 only."
    if len(order.spec.prompt) > _LONGEST_PROMPT:
        yield (
            f"prompt has {len(order.spec.prompt)} characters, and model {order.model_name} takes 1,024 tokens: some "
            f"{_LONGEST_PROMPT:,} characters of English."
        )


def _warn_of_unknown_fields(order: _Order) -> Iterator[str]:
    for field in sorted(order.body.others.keys() - FIELDS):
        yield (
            f"extra_body has the field {show(field)}, and the API of model {order.model_name} knows "
            f"{', '.join(sorted(FIELDS))}: it may refuse or ignore others. Options stand in parameters, for example "
            '{"parameters": {"negativePrompt": "rain"}}.'
        )


_REFUSALS = (
    _refuse_combinations,
    _refuse_length,
    _refuse_shape,
    _refuse_number_of_videos,
    _refuse_options,
    _refuse_media,
    _refuse_references,
    _refuse_labels,
)
_WARNINGS = (
    _warn_of_length,
    _warn_of_number_of_videos,
    _warn_of_choices,
    _warn_of_source,
    _warn_of_unknown_fields,
)


def _is_one_of(value: Any, choices: Collection[Any]) -> bool:
    return not isinstance(value, (bool, list, dict)) and value in choices


def _is_whole(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _is_label(text: Any) -> bool:
    return isinstance(text, str) and bool(_LABEL.fullmatch(text)) and text == text.lower()
