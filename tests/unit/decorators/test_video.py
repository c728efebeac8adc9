"""`@task.veo_video` without a network: the values that its function may return."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowSkipException, task

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.decorators.video import VeoVideoDecoratedOperator, read_arguments
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.operators.create import VeoCreateVideoOperator


def test_a_returned_text_is_the_prompt():
    assert read_arguments("画小猫") == {"prompt": "画小猫"}


def test_a_returned_dictionary_has_the_arguments():
    given = {"prompt": "a cat", "model": "sora-9", "destination": "/tmp/a.mp4", "extra_body": {"seed": 7}}
    assert read_arguments(given) == given


@pytest.mark.parametrize(
    ("returned", "complaint"),
    [
        (None, "returned NoneType; it must return the prompt"),
        (["a cat"], "returned list"),
        ({}, "prompt is missing"),
        ({"model": "veo-3.1"}, "prompt is missing.*may have conn_id, destination, extra_body, first_frame"),
        ({"prompt": "a cat", "promt": "", "retries": 3}, "unknown: promt, retries"),
    ],
)
def test_another_returned_value_is_refused(returned, complaint):
    with pytest.raises(InvalidInputError, match=complaint):
        read_arguments(returned)


def test_a_prompt_beside_the_function_is_refused_when_the_dag_is_parsed():
    with pytest.raises(TypeError, match="the function returns it"):
        VeoVideoDecoratedOperator(task_id="t", python_callable=lambda: "a cat", prompt="a dog")


def test_every_data_argument_except_the_prompt_is_a_template():
    fields = set(VeoVideoDecoratedOperator.template_fields)
    assert fields == (set(VeoCreateVideoOperator.template_fields) | {"op_args", "op_kwargs"}) - {"prompt"}


def test_airflow_has_the_decorator():
    made = task.veo_video(lambda: "a cat", model="veo-3.1")
    assert made.operator_class is VeoVideoDecoratedOperator
    assert made.multiple_outputs is False


class AsyncCall:
    async def __call__(self):
        return "a cat"


async def ask():
    await asyncio.sleep(0)
    return "a cat"


async def say(word):
    return word


@pytest.mark.parametrize("function", [ask, partial(ask), AsyncCall(), lambda word="a cat": say(word), lambda: "a cat"])
def test_an_async_function_is_awaited(function):
    made = VeoVideoDecoratedOperator(task_id="t", python_callable=function)
    assert made._call_function({}) == "a cat"


def test_an_error_of_an_async_function_is_raised():
    async def skip():
        raise AirflowSkipException("not today")

    with pytest.raises(AirflowSkipException, match="not today"):
        VeoVideoDecoratedOperator(task_id="t", python_callable=skip)._call_function({})


def yields():
    yield "a cat"


async def yields_later():
    yield "a cat"


@pytest.mark.parametrize("function", [yields, yields_later])
def test_a_function_that_yields_is_refused_when_the_dag_is_parsed(function):
    with pytest.raises(TypeError, match=r"The function of @task\.veo_video yields: it must return"):
        VeoVideoDecoratedOperator(task_id="t", python_callable=function)


@pytest.mark.parametrize("arguments", [{"timeout": "soon"}, {"max_bytes": "2GB"}, {"seconds": "eight"}])
def test_wrong_arguments_beside_the_function_are_refused_when_the_dag_is_parsed(arguments):
    def clip():
        return "a cat"

    with DAG("d", schedule=None), pytest.raises(InvalidInputError, match=f"Task 'clip': {next(iter(arguments))} is"):
        task.veo_video(clip, **arguments)()


@pytest.mark.parametrize("arguments", [{"timeout": "soon"}, {"max_bytes": "2GB"}, {"size": (1, 2)}])
def test_wrong_arguments_beside_a_mapped_function_are_refused_when_the_dag_is_parsed(arguments):
    def clip(name):
        return name

    complaint = f"Task '@task.veo_video': {next(iter(arguments))} is"
    with DAG("d", schedule=None), pytest.raises(InvalidInputError, match=complaint):
        task.veo_video(**arguments)(clip).expand(name=["a", "b"])


def test_the_function_may_return_the_frame_that_the_model_needs():
    VeoVideoDecoratedOperator(task_id="t", python_callable=lambda name="a": {"prompt": name}, model="veo-3.1-fl")


@pytest.mark.parametrize(
    ("returned", "complaint"),
    [
        ("", "prompt is ''"),
        ({"prompt": None}, "prompt is None"),
        ({"prompt": "a cat", "seconds": "eight"}, "seconds is 'eight'"),
        ({"prompt": "a cat", "extra_body": {"a": {1}}}, "cannot be written as JSON"),
        ({"prompt": "a cat", "destination": ["a"]}, "destination is a value of type list"),
    ],
)
def test_wrong_values_that_the_function_returns_are_refused_before_an_order(context, returned, complaint):
    made = VeoVideoDecoratedOperator(task_id="t", python_callable=lambda: returned)
    with pytest.raises(VeoFailException, match=f"Task 't': .*{complaint}"):
        made.execute(context)
    assert "veo_arguments" not in context["ti"].xcoms
