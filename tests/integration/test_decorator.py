"""`@task.veo_video` over the tries of a task: the calls of its function, and the orders."""

from __future__ import annotations

import pytest

from airflow_provider_veo.decorators.video import ARGUMENTS_KEY, VeoVideoDecoratedOperator
from airflow_provider_veo.emulator.faults import Fault, Trouble
from airflow_provider_veo.exceptions import VeoFailException
from tests.support.task_driver import TaskDriver


class Prompter:
    """A function that counts its calls. With `changes_prompt` it returns another prompt each time."""

    def __init__(self, *, changes_prompt=False):
        self.calls = 0
        self.changes_prompt = changes_prompt

    def __call__(self, name, ti=None):
        self.calls += 1
        words = f"{name} in {ti.run_id}"
        return {"prompt": f"{words} {self.calls}" if self.changes_prompt else words, "destination": "a.mp4"}


@pytest.fixture(params=[True, False], ids=["deferred", "waiting"])
def task(request, veo_default, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path))

    def make(function, retries=0, **arguments):
        defaults = {"python_callable": function, "op_kwargs": {"name": "cat"}, "deferrable": request.param}
        driver = TaskDriver(defaults | arguments, retries, VeoVideoDecoratedOperator)
        driver.emulator = veo_default
        return driver

    return make


def test_the_function_is_called_once_with_the_context(task):
    prompter = Prompter()
    driver = task(prompter)
    result = driver.run()
    assert prompter.calls == 1
    assert [job.prompt for job in driver.emulator.jobs.all()] == ["cat in r"]
    assert result["path"].endswith("a.mp4")


FAULTS = 5 * 2
"""Requests for the content in one try: five attempts, each at the content route and at the address in the status."""


def test_a_retry_calls_the_function_again_and_continues_with_the_same_job(task):
    prompter = Prompter()
    driver = task(prompter, retries=1)
    driver.emulator.faults.add("content", *[Fault(Trouble.ERROR)] * FAULTS)
    assert driver.run()["submissions"] == 1
    assert (prompter.calls, driver.tries) == (2, 2)
    assert driver.emulator.jobs.report()["orders"] == 1


def test_max_submissions_limits_the_orders_of_a_function_with_changing_prompts(task):
    prompter = Prompter(changes_prompt=True)
    driver = task(prompter, retries=5)
    driver.emulator.faults.add("content", *[Fault(Trouble.ERROR)] * FAULTS * 6)
    assert "max_submissions=2 allows no more" in str(driver.run())
    assert driver.emulator.jobs.report()["orders"] == 2


def test_a_wrong_return_value_orders_nothing(task):
    driver = task(lambda name: [name], retries=3)
    error = driver.run()
    assert isinstance(error, VeoFailException)
    assert "returned list" in str(error)
    assert (driver.tries, driver.emulator.jobs.report()["orders"]) == (1, 0)


def test_an_error_of_the_function_is_raised_unchanged(task):
    def broken(name):
        raise KeyError(name)

    assert isinstance(task(broken).run(), KeyError)


def test_the_frames_are_not_copied_into_the_database(task):
    driver = task(lambda name: {"prompt": name, "first_frame": None, "extra_body": {"seed": 7}})
    driver.run()
    (kept,) = [value for key, value in driver.xcoms if key == ARGUMENTS_KEY]
    assert sorted(kept) == ["conn_id", "destination", "model", "prompt", "seconds"]
