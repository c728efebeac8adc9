"""All errors have a reason, a job, a place and advice, and survive the way to another process."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
import re

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

import airflow_provider_veo
from airflow_provider_veo.api import errors
from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.error_answers import make_api_error
from airflow_provider_veo.api.errors import (
    InvalidInputError,
    NotOrderedError,
    Reason,
    TransportError,
    VeoError,
    adding,
)
from airflow_provider_veo.exceptions import VeoFailException, VeoSensorTimeout, fail_fast

KEY = "sk-canary-0123456789"
PLACE = ("connection 'c'", "https://api.example.com")
NOT_OF_TASKS = ("airflow_provider_veo.ui", "airflow_provider_veo.emulator", "airflow_provider_veo.testing")


def all_errors():
    for module in pkgutil.walk_packages(airflow_provider_veo.__path__, "airflow_provider_veo."):
        if not module.name.startswith(NOT_OF_TASKS):
            importlib.import_module(module.name)
    found, todo = [], [VeoError]
    while todo:
        found.append(kind := todo.pop())
        todo += kind.__subclasses__()
    return sorted(
        {kind for kind in found if kind.__module__.startswith("airflow_provider_veo.")}, key=lambda k: k.__name__
    )


def made(kind):
    """Return an error of a class, with a value for each argument that its constructor needs."""
    values = {"message": "It broke", "what": "Asking", "reason": Reason.QUOTA, "video_id": "video_1", "permanent": True}
    values |= {"address": "https://cdn.example.net/a.mp4"}
    values["status"] = 429 if "ApiError" in kind.__name__ else "failed"
    wanted = inspect.signature(kind).parameters.values()
    return kind(**{one.name: values[one.name] for one in wanted if one.default is one.empty})


every_error = pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.__name__)


@every_error
def test_an_error_has_a_reason_and_a_job(kind):
    error = made(kind)
    assert isinstance(error.reason, Reason)
    assert kind is VeoError or error.reason is not Reason.OTHER
    error.add(video_id="video_1")
    assert error.video_id == "video_1"


@every_error
@pytest.mark.parametrize(
    "again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy], ids=["pickle", "copy", "deep"]
)
def test_an_error_survives_the_way_to_another_process(kind, again):
    error = made(kind)
    error.add(video_id="video_1", where=PLACE, advice="Wait.")
    other = again(error)
    assert type(other) is kind
    assert (str(other), repr(other), other.args) == (str(error), repr(error), error.args)
    assert vars(other).items() >= {"video_id": "video_1", "where": PLACE, "advice": "Wait."}.items()
    assert (other.reason, other.permanent) == (error.reason, error.permanent)


@pytest.mark.parametrize("kind", [VeoFailException, VeoSensorTimeout])
@pytest.mark.parametrize("cause", map(made, all_errors()), ids=lambda cause: type(cause).__name__)
def test_an_exception_of_airflow_has_the_facts_of_its_cause(kind, cause):
    error = pickle.loads(pickle.dumps(kind(cause)))
    assert isinstance(error, (AirflowFailException, AirflowSensorTimeout))
    assert (error.reason, error.video_id, str(error)) == (cause.reason, cause.video_id, str(cause))
    assert type(error.cause) is type(cause)


def test_an_answer_is_not_pickled_with_its_error():
    answer = Answer.of(500, f'{{"error": "{KEY}"}}'.encode(), [("set-cookie", KEY)], f"https://x/?{KEY}", secrets=[KEY])
    error = make_api_error(answer, "Asking")
    assert error.answer is answer
    for text in (pickle.dumps(error).decode("latin-1"), repr(error), str(error)):
        assert KEY not in text
    assert pickle.loads(pickle.dumps(error)).answer is None


def test_facts_in_the_message_are_not_repeated():
    error = TransportError("GET https://api.example.com/v1/videos/video_1: ConnectError")
    error.add(where=PLACE, video_id="video_1")
    assert str(error) == ("GET https://api.example.com/v1/videos/video_1: ConnectError (connection 'c'; video video_1)")
    named = VeoError("Connection 'c': Video video_1 is late.")
    named.add(where=PLACE, video_id="video_1")
    assert str(named) == "Connection 'c': Video video_1 is late. (https://api.example.com)"


def test_a_fact_within_another_word_does_not_count_as_mentioned():
    error = VeoError("Video 12 of https://api.example.com.evil.org is late", video_id="1")
    error.add(where=PLACE)
    assert str(error).endswith(" (connection 'c'; https://api.example.com; video 1)")


def test_the_message_comes_first_then_the_advice_then_the_facts():
    error = VeoError("It broke.")
    error.add(advice="Wait.", where=PLACE)
    assert str(error) == "It broke. Wait. (connection 'c'; https://api.example.com)"


def test_facts_added_later_do_not_replace_earlier_ones():
    error = VeoError("It broke", video_id="first")
    with pytest.raises(VeoError), adding(video_id="second", where=PLACE), adding(where=("inner",)):
        raise error
    assert (error.video_id, error.where) == ("first", ("inner",))


def test_a_reason_is_written_as_its_value():
    assert f"{Reason.NETWORK}" == str(Reason.NETWORK) == "network"


def test_the_docstring_shows_the_tree_of_the_errors():
    parents, found = [], {}
    for indent, name in re.findall(r"^( {4,})(\w+Error)", errors.__doc__, re.MULTILINE):
        del parents[(len(indent) - 4) // 2 :]
        found[name] = parents[-1] if parents else None
        parents.append(name)
    assert found == {kind.__name__: None if kind is VeoError else kind.__bases__[0].__name__ for kind in all_errors()}


def test_the_module_exports_all_errors():
    assert {kind.__name__ for kind in all_errors()} | {"Reason"} == set(errors.__all__)


class TestTasks:
    @pytest.fixture(autouse=True)
    def connection(self, monkeypatch):
        monkeypatch.setenv(
            "AIRFLOW_CONN_C", f'{{"conn_type": "veo", "host": "https://api.example.com", "password": "{KEY}"}}'
        )

    @pytest.mark.parametrize("error", [TransportError("It broke"), NotOrderedError("It broke")])
    def test_an_error_names_the_connection_of_its_task(self, error):
        with pytest.raises((VeoError, VeoFailException)) as caught, fail_fast("c", lambda _: "Wait."):
            raise error
        assert str(caught.value) == "It broke. Wait. (connection 'c'; https://api.example.com)"
        assert caught.value.reason is error.reason

    def test_an_error_about_an_argument_does_not_name_the_connection(self):
        with pytest.raises(VeoFailException) as caught, fail_fast("c", lambda _: "Wait."):
            raise InvalidInputError("The prompt is empty.")
        assert str(caught.value) == "The prompt is empty."

    def test_a_connection_that_cannot_be_read_is_named(self, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CONN_C", '{"conn_type": "veo", "host": "ftp://x"}')
        with pytest.raises(TransportError) as caught, fail_fast("c"):
            raise TransportError("It broke")
        assert str(caught.value) == "It broke (connection 'c')"
