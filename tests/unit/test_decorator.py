"""`@task.veo_video` without a network: what its function may return."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import task

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.decorators.video import VeoVideoDecoratedOperator, arguments_of
from airflow_provider_veo.operators.create import VeoCreateVideoOperator


def test_a_text_is_the_prompt():
    assert arguments_of("画小猫") == {"prompt": "画小猫"}


def test_a_dictionary_is_taken_as_arguments():
    given = {"prompt": "a cat", "model": "sora-9", "destination": "/tmp/a.mp4", "extra_body": {"seed": 7}}
    assert arguments_of(given) == given


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
def test_anything_else_is_refused(returned, complaint):
    with pytest.raises(InvalidInputError, match=complaint):
        arguments_of(returned)


def test_a_prompt_beside_the_function_is_refused_when_the_dag_is_parsed():
    with pytest.raises(TypeError, match="the function returns it"):
        VeoVideoDecoratedOperator(task_id="t", python_callable=lambda: "a cat", prompt="a dog")


def test_all_data_arguments_but_the_prompt_are_templates():
    fields = set(VeoVideoDecoratedOperator.template_fields)
    assert fields == (set(VeoCreateVideoOperator.template_fields) | {"op_args", "op_kwargs"}) - {"prompt"}


def test_airflow_knows_the_decorator():
    made = task.veo_video(lambda: "a cat", model="veo-3.1")
    assert made.operator_class is VeoVideoDecoratedOperator
    assert made.multiple_outputs is False
