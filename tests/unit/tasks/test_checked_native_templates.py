"""Templates in Dags with native rendering: text arguments are rendered as texts, and all others as native objects."""

from __future__ import annotations

import jinja2
import pytest
from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath

from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.operators.media import VeoConcatOperator

RESULT = {"id": "1986512345678901248", "path": "/tmp/1.mp4"}
CONTEXT = {
    "params": {
        "prompt": "1984",
        "number": 1984,
        "zeros": "007",
        "list": "3, 2, 1",
        "quoted": "'a cat'",
        "none": "None",
        "nothing": None,
        "seconds": 8.0,
        "flag": True,
        "result": RESULT,
        "results": [RESULT, RESULT],
    }
}


def rendered(native, kind=VeoCreateVideoOperator, **arguments):
    with DAG("d", schedule=None, render_template_as_native_obj=native, user_defined_macros={"macro": lambda: "12"}):
        needed = {"prompt": "a cat"} if kind is VeoCreateVideoOperator else {}
        task = kind(task_id="clip", **(needed | arguments))
    task.render_template_fields(dict(CONTEXT))
    task._settle_arguments()
    return task


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ params.prompt }}", "1984"),
        ("{{ params.number }}", "1984"),
        ("{{ params.zeros }}", "007"),
        ("0{{ params.zeros }}", "0007"),
        ("{{ params.list }}", "3, 2, 1"),
        ("{{ params.quoted }}", "'a cat'"),
        ("{{ params.none }} of it", "None of it"),
        ("{{ params.flag }}", "True"),
        ("{{ params.seconds }} s", "8.0 s"),
        ("{{ macro() }}", "12"),
        ("{% for word in ('a', 'cat') %}{{ word }} {% endfor %}", "a cat "),
        ("{'a': 1}", "{'a': 1}"),
        ("[1, 2]", "[1, 2]"),
        ("2026", "2026"),
        ("1e5", "1e5"),
    ],
)
def test_a_prompt_is_a_text_with_and_without_native_rendering(native, template, text):
    assert rendered(native, prompt=template).prompt == text


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("name", ["model", "size", "conn_id", "destination", "first_frame"])
def test_every_text_argument_is_a_text_with_and_without_native_rendering(native, name):
    task = rendered(native, **{name: "{{ params.zeros }}"})
    assert getattr(task, name) == "007"


def test_an_empty_text_means_that_the_argument_is_left_out():
    task = rendered(True, **dict.fromkeys(("model", "size", "seconds", "destination"), "{{ params.nothing }}"))
    assert (task.model, task.size, task.seconds, task.destination) == (None, None, None, None)


@pytest.mark.parametrize("native", [True, False])
def test_ids_keep_all_their_digits(native):
    task = rendered(native, VeoDownloadOperator, video_id="{{ params.result['id'] }}", destination="{{ 2026 }}")
    assert (task.video_id, task.destination) == (RESULT["id"], "2026")


def test_results_of_other_tasks_are_not_rendered_as_texts():
    task = rendered(True, VeoDownloadOperator, video_id="{{ params.result }}", destination="/tmp/a.mp4")
    assert task.video_id == RESULT
    task = rendered(True, VeoConcatOperator, sources="{{ params.results }}", destination="/tmp/a.mp4")
    assert task.sources == [RESULT, RESULT]


def test_further_fields_are_native_if_the_dag_has_native_rendering():
    body = {"seed": "{{ params.prompt }}", "metadata": {"a": "{{ params.flag }}"}}
    assert rendered(True, extra_body=body).extra_body == {"seed": 1984, "metadata": {"a": True}}
    assert rendered(False, extra_body=body).extra_body == {"seed": "1984", "metadata": {"a": "True"}}
    assert rendered(True, extra_body="{{ params.result }}").extra_body == RESULT


def test_mapped_tasks_are_rendered_in_the_same_way():
    with DAG("d", schedule=None, render_template_as_native_obj=True):
        mapped = VeoCreateVideoOperator.partial(task_id="clip", model="{{ params.zeros }}").expand(prompt=["one"])
    task = mapped.unmap({"prompt": "1984"})
    task._do_render_template_fields(task, mapped.template_fields, dict(CONTEXT), mapped.get_template_env(), set())
    assert (task.model, task.prompt) == ("007", "1984")


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("template", ["{{ nowhere }}", "{{ params.nowhere.else }}", "a {{ nowhere }}"])
def test_a_name_that_does_not_exist_is_an_error(native, template):
    with pytest.raises(jinja2.UndefinedError):
        rendered(native, prompt=template)


@pytest.mark.parametrize("native", [True, False])
def test_an_object_storage_path_is_not_changed(native):
    task = rendered(native, destination=ObjectStoragePath("file:///tmp/{{ params.prompt }}.mp4"))
    assert str(task.destination).endswith("/tmp/1984.mp4")
    assert isinstance(task.destination, ObjectStoragePath)
