"""The arguments of tasks are checked when the Dag is parsed, and by the same rules before an order."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, XComArg

from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.operators.media import VeoConcatOperator, VeoExtractFrameOperator
from airflow_provider_veo.sensors.video import VeoVideoSensor
from tests.support.odd_values import ODD_VALUES

NAN, INF = float("nan"), float("inf")
OPERATORS = (
    (VeoCreateVideoOperator, {"prompt": "a cat"}),
    (VeoChatCompletionOperator, {"prompt": "a cat"}),
    (VeoDownloadOperator, {"video_id": "v", "destination": "/tmp/a.mp4"}),
    (VeoExtractFrameOperator, {"source": "/tmp/a.mp4", "destination": "/tmp/a.png"}),
    (VeoConcatOperator, {"sources": ["/tmp/a.mp4"], "destination": "/tmp/b.mp4"}),
    (VeoVideoSensor, {"video_id": "v"}),
)
WRONG_TIMES = (0, -1, NAN, INF, -INF, 1e300, 10**400, "soon", "", "{{ x }}", None, True, [1], timedelta(0))
WRONG_COUNTS = (0, -1, 1.5, NAN, "many", "", None, True, [2])


@pytest.fixture(autouse=True)
def connection(monkeypatch):
    value = {"conn_type": "veo", "host": "https://api.example.com", "password": "sk-canary"}
    monkeypatch.setenv("AIRFLOW_CONN_VEO_DEFAULT", json.dumps(value))


@pytest.fixture
def order(mocker):
    """Replace the call that orders; return its mock."""
    return mocker.patch.object(VeoClient, "create_video", side_effect=AssertionError("this was ordered"))


def refused(kind, **arguments):
    """Return the message with which a task is refused, or None."""
    try:
        kind(task_id="clip", **arguments)
    except InvalidInputError as error:
        return str(error)
    return None


def create(**arguments):
    return VeoCreateVideoOperator(**{"task_id": "clip", "prompt": "a cat", **arguments})


def wrong(name, *values):
    return [({name: value}, name) for value in values]


WRONG = [
    *wrong("prompt", "", "  \n", None, True, NAN, [], {}, b"a cat", ("a", "cat"), {"prompt": "a cat"}),
    *wrong("model", " ", True, ["m"], {"id": "m"}),
    *wrong("conn_id", "", " ", None, False, ["c"]),
    *wrong("seconds", "eight", "8s", 0, -1, NAN, INF, "nan", True, [8], "None", 3_601, 10**400, timedelta(seconds=8)),
    *wrong("size", " ", True, (1280, 720), {"width": 1280}),
    *wrong("destination", "", " ", True, ["a.mp4"], {"path": "a.mp4"}, b"a.mp4"),
    *wrong("first_frame", True, ["a.png"], b"\x89PNG", object()),
    *wrong("last_frame", True, [1]),
    *wrong("timeout", *WRONG_TIMES),
    *wrong("poll_interval", *(value for value in WRONG_TIMES if value not in (None, ""))),
    *wrong("max_submissions", *WRONG_COUNTS),
    *wrong("max_bytes", *(value for value in WRONG_COUNTS if value is not None), "2GB", "2 GiB"),
    *wrong("on_unknown_submission", "maybe", None, True, ["fail"]),
    *wrong("deferrable", "True", "no", None, 1, []),
    *wrong("cancel_on_kill", "True", None, 0),
    *wrong("sidecar", "True", None, 1),
    *wrong("extra_body", ["x"], "seed", 7, {7: 1}, {"": 1}, {"size": "x"}),
]


@pytest.mark.parametrize(("arguments", "complaint"), WRONG)
def test_a_wrong_argument_is_refused_when_the_dag_is_parsed(arguments, complaint):
    with pytest.raises(InvalidInputError, match=f"^Task 'clip': .*{complaint}") as caught:
        create(**arguments)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("arguments", "complaint"), WRONG)
def test_a_wrong_value_that_is_set_later_is_refused_before_an_order(order, context, arguments, complaint):
    clip = create()
    for name, value in arguments.items():
        setattr(clip, name, value)
    with pytest.raises(VeoFailException, match=f"^Task 'clip': .*{complaint}"):
        clip.execute(context)
    order.assert_not_called()


@pytest.mark.parametrize("extra_body", [{"a": NAN}, {"a": [INF]}, {"a": {"b": object()}}, {"a": b"x"}, {"a": {1, 2}}])
def test_a_value_that_json_cannot_represent_is_refused_when_the_dag_is_parsed(extra_body):
    with pytest.raises(InvalidInputError, match=r"^Task 'clip': The request cannot be written as JSON"):
        create(extra_body=extra_body)


def test_a_dictionary_that_contains_itself_is_refused_when_the_dag_is_parsed():
    endless = {}
    endless["again"] = {"list": [endless]}
    with pytest.raises(InvalidInputError, match=r"^Task 'clip': "):
        create(extra_body=endless)


@pytest.mark.parametrize(("kind", "arguments"), OPERATORS)
def test_odd_values_are_refused_with_one_short_sentence(kind, arguments):
    for name in kind.argument_rules:
        for value in ODD_VALUES:
            if (kind, name) != (VeoVideoSensor, "timeout"):  # Airflow has a check of its own
                complaint = refused(kind, **(arguments | {name: value}))
                assert complaint is None or complaint.startswith("Task 'clip': ")
                assert complaint is None or len(complaint) < 700


@pytest.mark.parametrize(
    ("arguments", "settled"),
    [
        ({"timeout": 1_800}, timedelta(minutes=30)),
        ({"timeout": 1_800.0}, timedelta(minutes=30)),
        ({"timeout": "1800"}, timedelta(minutes=30)),
        ({"timeout": Decimal(1_800)}, timedelta(minutes=30)),
        ({"timeout": timedelta(minutes=30)}, timedelta(minutes=30)),
        ({"poll_interval": timedelta(seconds=3)}, 3.0),
        ({"poll_interval": "3"}, 3.0),
        ({"poll_interval": None}, None),
        ({"max_bytes": None}, sys.maxsize),
        ({"max_bytes": 2 * 2**30}, 2_147_483_648),
        ({"max_submissions": 2.0}, 2),
        ({"prompt": 1984}, "1984"),
        ({"model": ""}, None),
        ({"model": 3.1}, "3.1"),
        ({"size": ""}, None),
        ({"seconds": ""}, None),
        ({"destination": 2026}, "2026"),
        ({"destination": Path("/tmp/a.mp4")}, "/tmp/a.mp4"),
        ({"destination": None}, None),
        ({"extra_body": {"metadata": {"seed": [7, None, True]}}}, {"metadata": {"seed": [7, None, True]}}),
        ({"first_frame": "", "last_frame": None}, None),
    ],
)
def test_right_arguments_are_kept_as_the_task_uses_them(arguments, settled):
    clip = create(**arguments)
    assert getattr(clip, next(iter(arguments))) == settled
    clip._settle_arguments()
    assert getattr(clip, next(iter(arguments))) == settled


def test_an_object_storage_path_is_not_changed():
    place = ObjectStoragePath("file:///tmp/a.mp4")
    assert create(destination=place).destination is place


def test_default_arguments_are_checked_when_the_dag_is_parsed():
    with DAG("d", schedule=None, default_args={"timeout": 1_800}):
        assert create().timeout == timedelta(minutes=30)
    with DAG("e", schedule=None, default_args={"timeout": "soon"}), pytest.raises(InvalidInputError, match="timeout"):
        create()


@pytest.mark.parametrize(
    "arguments", [{"timeout": "soon"}, {"max_bytes": "2GB"}, {"seconds": "eight"}, {"size": (1, 2)}]
)
@pytest.mark.filterwarnings("ignore:Task 'clip' was never mapped")
def test_shared_arguments_of_mapped_tasks_are_checked_when_the_dag_is_parsed(arguments):
    with DAG("d", schedule=None), pytest.raises(InvalidInputError, match=f"Task 'clip': {next(iter(arguments))} is"):
        VeoCreateVideoOperator.partial(task_id="clip", **arguments).expand(prompt=["one", "two"])


@pytest.mark.filterwarnings("ignore:Task 'clip' was never mapped")
def test_defaults_of_mapped_tasks_are_checked_when_the_dag_is_parsed():
    with DAG("d", schedule=None, default_args={"timeout": "soon"}), pytest.raises(InvalidInputError, match="timeout"):
        VeoCreateVideoOperator.partial(task_id="clip").expand(prompt=["one", "two"])


def test_a_mapped_argument_is_checked_before_an_order_and_without_a_retry(order, context):
    with DAG("d", schedule=None) as dag:
        VeoCreateVideoOperator.partial(task_id="clip", timeout=1_800).expand(prompt=["one", None])
    context["ti"].map_index = 1
    with pytest.raises(VeoFailException, match="Task 'clip': prompt is None; it must be a text"):
        dag.get_task("clip").unmap({"prompt": None}).execute(context)
    order.assert_not_called()


@pytest.mark.parametrize(
    "arguments",
    [
        {"prompt": "{{ params.prompt }}", "seconds": "{{ params.seconds }}", "size": "{% if x %}1280x720{% endif %}"},
        {"extra_body": {"seed": "{{ params.seed }}"}},
        {"extra_body": "{{ params.body }}"},
        {"first_frame": "{{ params.frame }}", "model": "veo-3.1-fl"},
    ],
)
def test_templates_are_not_checked_when_the_dag_is_parsed(arguments):
    clip = create(**arguments)
    assert {name: getattr(clip, name) for name in arguments} == arguments


def test_results_of_other_tasks_are_not_checked_when_the_dag_is_parsed():
    with DAG("d", schedule=None):
        first = create()
        body = {"seed": first.output["seed"], "list": [first.output]}
        second = create(
            task_id="second",
            prompt=first.output,
            seconds=first.output["seconds"],
            extra_body=body,
            first_frame=first.output,
            model="veo-3.1-fl",
        )
        wait = VeoVideoSensor(task_id="wait", video_id={"id": first.output["id"]})
        joined = VeoConcatOperator(task_id="join", sources=[first.output, second.output], destination="/tmp/a.mp4")
    assert isinstance(second.prompt, XComArg)
    assert isinstance(second.extra_body["seed"], XComArg)
    assert isinstance(wait.video_id["id"], XComArg)
    assert [type(source) for source in joined.sources] == [type(first.output)] * 2
    assert second.upstream_task_ids == wait.upstream_task_ids == {"clip"}


def test_a_reserved_field_beside_a_template_is_refused_when_the_dag_is_parsed():
    with DAG("d", schedule=None):
        first = create()
        with pytest.raises(InvalidInputError, match="extra_body may not set seconds"):
            create(task_id="second", extra_body={"seconds": first.output, "seed": "{{ 7 }}"})


def test_a_dag_that_defines_other_marks_has_other_templates():
    marks = {"variable_start_string": "[[", "variable_end_string": "]]"}
    with DAG("d", schedule=None, jinja_environment_kwargs=marks):
        assert create(seconds="[[ params.seconds ]]").seconds == "[[ params.seconds ]]"


@pytest.mark.parametrize("kind", [VeoCreateVideoOperator, VeoChatCompletionOperator])
def test_a_last_frame_alone_is_refused_when_the_dag_is_parsed(kind):
    with pytest.raises(InvalidInputError, match="Task 'clip': last_frame needs a first_frame"):
        kind(task_id="clip", prompt="a cat", last_frame="a.png")


@pytest.mark.parametrize("arguments", [{"model": "veo-3.1", "first_frame": "a.png"}, {"model": "veo-3.1-fl"}])
@pytest.mark.parametrize("kind", [VeoCreateVideoOperator, VeoChatCompletionOperator])
def test_the_frame_rules_of_a_gateway_are_not_applied_when_the_dag_is_parsed(kind, arguments):
    assert kind(task_id="clip", prompt="a cat", **arguments).model == arguments["model"]


@pytest.mark.parametrize("n", [0, 5, "5", 1.5, True, None, "two", NAN])
def test_a_wrong_number_of_videos_is_refused_when_the_dag_is_parsed(n):
    with pytest.raises(InvalidInputError, match=r"n is .*; it must be a whole number from 1 to 4"):
        VeoChatCompletionOperator(task_id="chat", prompt="a cat", n=n)


@pytest.mark.parametrize("n", [2, "2", 2.0])
def test_a_number_of_videos_may_be_a_text(n):
    assert VeoChatCompletionOperator(task_id="chat", prompt="a cat", n=n).n == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "Neither video_id nor url is given"),
        ({"video_id": ""}, "Neither video_id nor url is given"),
        ({"video_id": {"url": "https://x.example/a?signature=secret"}}, "video_id is a dictionary of url; it must be"),
        ({"video_id": ["v"]}, "video_id is a value of type list"),
        ({"video_id": 1.5e18}, "video_id is 1.5e"),
        ({"video_id": "v", "destination": ""}, "destination is ''"),
        ({"video_id": "v", "destination": None}, "destination is None"),
        ({"url": {"id": "v"}}, "url is a dictionary of id; it must be an address"),
        ({"url": 7.0j}, "url is a value of type complex"),
        ({"video_id": "v", "if_exists": "maybe"}, "if_exists is 'maybe'; it must be 'skip' or 'overwrite' or 'fail'"),
        *(({"video_id": "v", "content_timeout": value}, "content_timeout is") for value in WRONG_TIMES),
        *(({"video_id": "v", "max_bytes": value}, "max_bytes is .* for 2 GiB") for value in (0, "2GB", 1.5)),
    ],
)
def test_wrong_downloads_are_refused_when_the_dag_is_parsed(arguments, complaint):
    with pytest.raises(InvalidInputError, match=f"Task 'get': .*{complaint}") as caught:
        VeoDownloadOperator(**{"task_id": "get", "destination": "/tmp/a.mp4", **arguments})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("video_id", [1986512345678901248, "1986512345678901248", {"id": 1986512345678901248}])
def test_a_number_is_taken_as_an_id(video_id):
    found = VeoDownloadOperator(task_id="get", destination="/tmp/a.mp4", video_id=video_id).video_id
    assert found in ("1986512345678901248", {"id": "1986512345678901248"})
