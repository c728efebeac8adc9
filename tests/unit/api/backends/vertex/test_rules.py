"""Rules that are checked before the order, since the API reports many mistakes only when the job has failed."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.backends.vertex import rules
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.specs import VideoSpec
from tests.support.odd_values import ODD_VALUES

NORMAL, FAST, LITE = (f"veo-3.1-{name}generate-001" for name in ("", "fast-", "lite-"))
PNG, WEBP = (Frame(b"\x01", kind, 1280, 720) for kind in ("image/png", "image/webp"))
IMAGE = {"gcsUri": "gs://b/a.png", "mimeType": "image/png"}
VIDEO = {"gcsUri": "gs://b/a.mp4", "mimeType": "video/mp4"}
BUCKET = "gs://b/a/"


def check(model=NORMAL, output_uri=None, **fields):
    instance = fields.pop("instance", None)
    parameters, others = fields.pop("parameters", {}), fields.pop("others", {})
    extra = {"instances": [instance]} if instance else {}
    extra |= {"parameters": parameters} if parameters else {}
    spec = VideoSpec(fields.pop("prompt", "A boat."), model, extra_body=extra | others, **fields)
    return list(rules.check(spec, output_uri))


def reference(kind="ASSET", image=IMAGE):
    return {"image": image, "referenceType": kind}


def references(*kinds):
    return {"instance": {"referenceImages": [reference(kind) for kind in kinds]}}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"seconds": 4},
        {"seconds": "6.0"},
        {"seconds": 8, "size": "1920x1080"},
        {"seconds": 8, "size": "3840x2160"},
        {"model": LITE, "size": "1080x1920"},
        {"first_frame": PNG, "last_frame": PNG, "seconds": 8},
        {"instance": {"image": IMAGE}},
        {"instance": {"image": IMAGE, "lastFrame": IMAGE}},
        {"instance": {"video": VIDEO}},
        {"instance": {"video": {"bytesBase64Encoded": "AAAA", "mimeType": "video/mp4"}}, "seconds": 7},
        references("ASSET", "asset", "ASSET"),
        {"model": FAST} | references("ASSET"),
        {"parameters": {"aspectRatio": "9:16", "resolution": "4k", "sampleCount": 1, "seed": 2**32 - 1}},
        {"parameters": {"personGeneration": "dont_allow", "enhancePrompt": True, "generateAudio": False}},
        {"parameters": {"storageUri": "gs://bucket"}},
        {"others": {"labels": {"team": "trailers", "größe_1": "", "a-b": "x" * 63}}},
        # of other models, only the rules of all models are known
        {"model": "veo-9", "seconds": 5, "parameters": {"resolution": "8k", "aspectRatio": "1:1"}},
        {"model": "veo-9", "parameters": {"enhancePrompt": False}},
        {"model": "veo-9"} | references("STYLE"),
    ],
)
def test_an_order_that_keeps_the_rules_passes(fields):
    assert check(**fields) == []


SECONDS = "makes videos of 4, 6 or 8 seconds"
MIME = "takes the types image/jpeg, image/png, and not"


@pytest.mark.parametrize(
    ("fields", "name", "rule"),
    [
        ({"seconds": 5}, "seconds is 5", SECONDS),
        ({"seconds": "8.5"}, "seconds is '8.5'", SECONDS),
        ({"seconds": 7, "first_frame": PNG}, "seconds is 7", SECONDS),
        ({"parameters": {"durationSeconds": "8"}}, "extra_body parameters durationSeconds is '8'", SECONDS),
        ({"seconds": 8, "instance": {"video": VIDEO}}, "seconds is 8", "extends a video by exactly 7 seconds"),
        ({"model": LITE, "size": "3840x2160"}, "size is '3840x2160'", "makes videos of 720p, 1080p"),
        ({"model": FAST, "parameters": {"resolution": "4K"}}, "parameters resolution is '4K'", "720p, 1080p, 4k"),
        ({"parameters": {"resolution": None}}, "parameters resolution", "720p, 1080p, 4k"),
        ({"parameters": {"aspectRatio": "1:1"}}, "parameters aspectRatio is '1:1'", "videos of 16:9 and 9:16"),
        ({"parameters": {"sampleCount": 0}}, "parameters sampleCount is 0", "makes 1 to 4 videos"),
        ({"parameters": {"sampleCount": 5}, "output_uri": BUCKET}, "sampleCount is 5", "makes 1 to 4 videos"),
        ({"parameters": {"sampleCount": True}}, "sampleCount is True", "makes 1 to 4 videos"),
        ({"parameters": {"sampleCount": 2}}, "sampleCount is 2: a task stores one video", "paid for and lost"),
        ({"parameters": {"seed": -1}}, "parameters seed is -1", "whole numbers from 0 to 4294967295"),
        ({"parameters": {"seed": 2**32}}, "parameters seed is 4294967296", "whole numbers"),
        ({"parameters": {"seed": 1.0}}, "parameters seed is 1.0", "whole numbers"),
        ({"parameters": {"enhancePrompt": False}}, "enhancePrompt is False", "always enhances the prompt"),
        ({"parameters": {"personGeneration": "all"}}, "personGeneration is 'all'", "takes allow_adult and dont_allow"),
        ({"parameters": {"storageUri": "s3://b/a"}}, "parameters storageUri is 's3://b/a'", "gs://bucket/folder/"),
        ({"parameters": {"storageUri": None}}, "parameters storageUri is None", "gs://bucket/folder/"),
        # sources that exclude each other
        (
            {"first_frame": PNG, "instance": {"referenceImages": [reference()]}},
            "first_frame and extra_body instances referenceImages cannot be combined",
            "takes one of them",
        ),
        ({"first_frame": PNG, "instance": {"video": VIDEO}}, "first_frame and extra_body instances video", "one of"),
        (
            {"instance": {"video": VIDEO, "referenceImages": [reference()]}},
            "extra_body instances video and extra_body instances referenceImages",
            "takes one of them",
        ),
        ({"instance": {"lastFrame": IMAGE}}, "instances lastFrame", "only together with first_frame"),
        ({"instance": {"lastFrame": IMAGE, "video": VIDEO}}, "instances lastFrame", "only together with first_frame"),
        # pictures and videos
        ({"first_frame": WEBP}, "first_frame: ", f"{MIME} 'image/webp'"),
        ({"first_frame": PNG, "last_frame": WEBP}, "last_frame: ", f"{MIME} 'image/webp'"),
        ({"instance": {"image": {"gcsUri": "gs://b/a.png"}}}, "extra_body instances image: ", f"{MIME} None"),
        ({"instance": {"image": "gs://b/a.png"}}, "instances image: ", "with bytesBase64Encoded or gcsUri"),
        ({"instance": {"image": IMAGE | {"bytesBase64Encoded": "A"}}}, "instances image: ", "or gcsUri"),
        ({"instance": {"video": {"mimeType": "video/mp4"}}}, "instances video: ", "or gcsUri"),
        ({"instance": {"video": VIDEO | {"mimeType": "video/webm"}}}, "instances video: ", "not 'video/webm'"),
        # references
        ({"model": LITE} | references("ASSET"), "instances referenceImages", "takes no reference images"),
        (references(*["ASSET"] * 4), "instances referenceImages", "1 to 3 images of the referenceType ASSET."),
        (references("STYLE"), "instances referenceImages", "1 to 3 images of the referenceType ASSET."),
        (references("ASSET", "STYLE"), "instances referenceImages", "1 to 3 images"),
        ({"model": "veo-9"} | references("STYLE", "STYLE"), "referenceImages: model 'veo-9'", "or one of STYLE"),
        ({"instance": {"referenceImages": []}}, "instances referenceImages", "1 to 3 images"),
        ({"instance": {"referenceImages": reference()}}, "instances referenceImages", "a list of dictionaries"),
        ({"instance": {"referenceImages": ["x"]}}, "instances referenceImages", "a list of dictionaries"),
        ({"instance": {"referenceImages": [{"referenceType": "ASSET"}]}}, "instances referenceImages", "or gcsUri"),
        # labels
        ({"others": {"labels": {"Team": "trailers"}}}, "labels has 'Team'", "63 lower case letters"),
        ({"others": {"labels": {"1team": "trailers"}}}, "labels has '1team'", "begins with a letter"),
        ({"others": {"labels": {"team": "a b"}}}, "labels has 'team'", "63 lower case letters"),
        ({"others": {"labels": {"team": "x" * 64}}}, "labels has 'team'", "63 lower case letters"),
        ({"others": {"labels": {"team": 7}}}, "labels has 'team'", "63 lower case letters"),
        ({"others": {"labels": ["team"]}}, "labels has", "63 lower case letters"),
    ],
)
def test_an_order_that_breaks_a_rule_is_refused(fields, name, rule):
    with pytest.raises(InvalidInputError) as caught:
        check(**fields)
    assert name in str(caught.value)
    assert rule in str(caught.value)
    if "storageUri" not in name:
        assert fields.get("model", NORMAL) in str(caught.value)


def test_the_first_models_make_no_sound():
    with pytest.raises(InvalidInputError, match=r"generateAudio is True: .* makes no sound"):
        check("veo-2.0-generate-001", parameters={"generateAudio": True})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"seconds": 4, "size": "1920x1080"}, ["seconds is 4: with size, model 'veo-3.1-generate-001' may make"]),
        ({"parameters": {"durationSeconds": 6, "resolution": "4k"}}, ["with extra_body parameters resolution"]),
        ({"seconds": 4, "first_frame": PNG, "last_frame": PNG}, ["with last_frame"]),
        ({"seconds": 4} | references("ASSET"), ["with extra_body instances referenceImages"]),
        ({"parameters": {"sampleCount": 2}, "output_uri": BUCKET}, ["stores the first one only"]),
        ({"parameters": {"seed": 7, "enhancePrompt": True}}, ["if enhancePrompt is True"]),
        (
            {"parameters": {"seed": 7, "sampleCount": 2}, "output_uri": BUCKET},
            ["stores the first one only", "does not use it as it is if sampleCount"],
        ),
        ({"parameters": {"personGeneration": "allow_all"}}, ["'allow_all'"]),
        ({"parameters": {"personGeneration": "disallow"}}, ["'disallow'"]),
        ({"instance": {"video": VIDEO | {"mimeType": "video/mov"}}}, ["may extend videos of the type video/mp4 only"]),
        ({"prompt": "a" * 4_097}, ["prompt has 4097 characters"]),
        ({"others": {"seed": 7}}, ["extra_body has the field 'seed'"]),
    ],
)
def test_a_belief_is_a_warning(fields, words):
    warnings = check(**fields)
    assert len(warnings) == len(words)
    for warning, word in zip(warnings, words, strict=True):
        assert word in warning
        assert NORMAL in warning


@pytest.mark.parametrize("field", ["image", "lastFrame", "video", "referenceImages"])
def test_no_odd_value_of_a_source_makes_the_check_fail(field):
    for odd in ODD_VALUES:
        check_odd(instance={field: odd})


@pytest.mark.parametrize(
    "field",
    ["durationSeconds", "resolution", "aspectRatio", "sampleCount", "seed", "enhancePrompt", "personGeneration"],
)
def test_no_odd_value_of_an_option_makes_the_check_fail(field):
    for odd in ODD_VALUES:
        check_odd(parameters={field: odd})
        check_odd(parameters={"storageUri": odd, field: odd})
        check_odd(others={"labels": odd})


def check_odd(**fields):
    for model in (NORMAL, "veo-9"):
        try:
            check(model, **fields)
        except InvalidInputError as error:
            assert str(error)  # noqa: PT017 - some values are right


@pytest.mark.parametrize("uri", ["gs://b", "gs://my-bucket.example/", "gs://b/Any Thing/ü/"])
def test_the_address_of_a_folder_in_a_bucket_passes(uri):
    rules.check_bucket(uri, "output_uri")


@pytest.mark.parametrize(
    "uri", ["", "gs://", "gs:///a", "gs://B/a", "s3://b/a", "gs://b\n", "gs://b/" + "a" * 2_100, 7]
)
def test_another_address_is_refused(uri):
    with pytest.raises(InvalidInputError, match="output_uri is"):
        rules.check_bucket(uri, "output_uri")
