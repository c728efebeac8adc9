"""Mistakes of new users in Dags, on a real Airflow: each is refused with an explanation, and orders nothing."""

from __future__ import annotations

import json
import logging

import pytest

from tests.support.airflow_version import AIRFLOW_3

pytestmark = pytest.mark.usefixtures("database")

HEAD = """
from airflow.providers.common.compat.sdk import DAG, task
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.sensors.video import VeoVideoSensor

with DAG({dag_id!r}, schedule=None, {dag}):
{body}
"""

OWN = """
class Own(VeoCreateVideoOperator):
    def pre_execute(self, context):
        self.timeout = "soon"

Own(task_id="clip", prompt="a cat")"""


@pytest.fixture
def parsed(tmp_path, monkeypatch):
    """Return a function that puts a Dag into a file, as users do, and returns it and the error of its import."""
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path / "videos"))
    bundle = {
        "name": "dags-folder",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(tmp_path / "dags")},
    }  # dag.test() of Airflow 3 takes Dags from there
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))

    def parse(dag_id, body, dag=""):
        try:
            from airflow.dag_processing.dagbag import DagBag
        except ImportError:  # before Airflow 3.1
            from airflow.models.dagbag import DagBag
        folder = tmp_path / "dags"
        folder.mkdir()
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        (folder / f"{dag_id}.py").write_text(HEAD.format(dag_id=dag_id, dag=dag, body=lines), encoding="utf-8")
        bag = DagBag(str(folder))
        return bag.dags.get(dag_id), "".join(bag.import_errors.values())

    return parse


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            'VeoCreateVideoOperator(task_id="clip", prompt=["a cat"])',
            "Task 'clip': prompt is a value of type list; it must be a text that is not empty.",
        ),
        (
            'VeoCreateVideoOperator(task_id="clip", prompt="a cat", seconds="eight")',
            "Task 'clip': seconds is 'eight'; it must be the length of the video in seconds: a number like 8",
        ),
        (
            'VeoCreateVideoOperator(task_id="clip", prompt="a cat", timeout="20 minutes")',
            "Task 'clip': timeout is '20 minutes'; it must be a time above 0 and of at most 365 days: seconds as a",
        ),
        (
            'VeoCreateVideoOperator(task_id="clip", prompt="a cat", max_bytes="2GB")',
            "Task 'clip': max_bytes is '2GB'; it must be a whole number of bytes above 0, like 2 * 2**30 for 2 GiB",
        ),
        (
            'VeoCreateVideoOperator(task_id="clip", prompt="a cat", extra_body={"size": "720p"})',
            "Task 'clip': extra_body may not set size: use the argument of that name",
        ),
        (
            'VeoCreateVideoOperator.partial(task_id="clip", size=(1280, 720)).expand(prompt=["a", "b"])',
            "Task 'clip': size is a value of type tuple; it must be a text like '1280x720'",
        ),
        (
            '@task.veo_video(deferrable="yes")\ndef clip(): return "a cat"\nclip()',
            "deferrable is 'yes'; it must be True or False.",
        ),
        (
            'VeoDownloadOperator(task_id="get", destination="a.mp4")',
            "Task 'get': Neither video_id nor url is given",
        ),
        (
            'VeoVideoSensor(task_id="wait", video_id={"video": "v"})',
            "Task 'wait': video_id is a dictionary of video; it must be the id of a video job, or the result of a task",
        ),
    ],
)
def test_a_wrong_type_is_reported_when_the_dag_is_parsed(parsed, veo_default, body, sentence):
    dag, error = parsed("wrong", body)
    assert dag is None
    assert sentence in error
    assert veo_default.jobs.report()["orders"] == 0


@pytest.mark.parametrize(
    ("body", "dag", "sentence"),
    [
        (
            '@task.veo_video\ndef clip(): return {"promt": "a cat"}\nclip()',
            "",
            "a dictionary with wrong arguments (unknown: promt). It must have prompt",
        ),
        (
            'VeoCreateVideoOperator(task_id="clip", prompt="{{ ti.xcom_pull(task_ids=\'missing\') }}")',
            "",
            "Task 'clip': prompt is 'None'; it must be a text that is not empty. (A template is rendered to 'None'",
        ),
        (
            'VeoCreateVideoOperator(task_id="clip", prompt="a cat", destination="{{ params.get(\'place\') }}")',
            "",
            "Task 'clip': destination is 'None'; it must be a path",
        ),
        (
            'VeoCreateVideoOperator(task_id="clip", prompt="a cat", model="veo-3.1-fl", first_frame="cat.png")',
            "",
            "first_frame 'cat.png' cannot be read: FileNotFoundError: No such file or directory. Correct it, or put",
        ),
        (
            '@task\ndef first(): return {"text": "a cat"}\nVeoCreateVideoOperator(task_id="clip", prompt=first())',
            "",
            "Task 'clip': prompt is a dictionary of text; it must be a text that is not empty.",
        ),
        (
            'VeoCreateVideoOperator(task_id="clip", prompt="a cat", destination="/dev/null/cats/a.mp4")',
            "",
            "destination /dev/null/cats/a.mp4 cannot be written: /dev/null is a file.",
        ),
        (
            'VeoCreateVideoOperator(task_id="clip", prompt="a cat", seconds="{{ params.seconds }}")',
            'params={"seconds": "eight"}, render_template_as_native_obj=True',
            "Task 'clip': seconds is 'eight'; it must be the length of the video",
        ),
        (
            'VeoCreateVideoOperator(task_id="clip", prompt="a cat", extra_body="{{ params.body }}")',
            'params={"body": {"seed": 7}}',
            "Task 'clip': extra_body must be a dictionary, not str. A template gives one where the Dag has render_",
        ),
        (
            'VeoCreateVideoOperator.partial(task_id="clip").expand(prompt=[None])',
            "",
            "Task 'clip': prompt is None; it must be a text that is not empty.",
        ),
        (
            OWN,
            "",
            "Task 'clip': timeout is 'soon'; it must be a time above 0",
        ),
    ],
)
def test_a_mistake_that_shows_in_the_run_is_reported_before_an_order(
    parsed, veo_default, caplog, capfd, body, dag, sentence
):
    caplog.set_level(logging.INFO)
    found, error = parsed("wrong", body, dag)
    assert error == ""
    assert str(found.test().state) == "failed"
    out, err = capfd.readouterr()
    assert sentence in caplog.text + out + err
    assert veo_default.jobs.report()["orders"] == 0


def test_native_templates_work(parsed, veo_default):
    body = """
made = VeoCreateVideoOperator(task_id="clip", prompt="{{ params.prompt }}", destination="{{ params.name }}")
get = VeoDownloadOperator(task_id="get", video_id="{{ ti.xcom_pull('clip')['id'] }}", destination="{video_id}.mp4")
made >> get >> VeoVideoSensor(task_id="wait", video_id="{{ ti.xcom_pull('clip') }}")"""
    dag, error = parsed("native", body, 'params={"prompt": "1984", "name": "007"}, render_template_as_native_obj=True')
    assert error == ""
    assert str(dag.test().state) == "success"
    assert [job.prompt for job in veo_default.jobs.all()] == ["1984"]


@pytest.mark.skipif(not AIRFLOW_3, reason="the decorator is the same, and the older dag.test() is slow")
def test_an_async_function_makes_a_video(parsed, veo_default):
    body = '@task.veo_video(timeout=1800)\nasync def clip(ti=None): return f"a cat of {ti.task_id}"\nclip()'
    dag, error = parsed("later", body)
    assert error == ""
    assert str(dag.test().state) == "success"
    assert [job.prompt for job in veo_default.jobs.all()] == ["a cat of clip"]
