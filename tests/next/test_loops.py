"""Orders, cancellations and charges of tasks in loops, on a real Airflow."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import Counter

import pytest

from dev.waiting import wait_until

PASSES = (0, 1, 2)
NAMES = ("plain", "first", "second")


@pytest.fixture(scope="module")
def runs(system):
    """Start all runs at once, and return their IDs by the connection that they use."""
    started = {
        "veo_keys": ("three_passes", {}),
        "veo_retry": ("three_passes", {"dies_in_pass": 1}),
        "veo_evicted": ("on_workers", {}),
        "veo_running": ("on_workers", {}),
    }
    return {conn_id: system.start(dag_id, conn_id, **conf) for conn_id, (dag_id, conf) in started.items()}


def counts(system, conn_id, prompt):
    """Return the numbers of orders, cancelled jobs and charged jobs of a prompt."""
    charged = system.charged(conn_id, prompt)
    return len(system.jobs(conn_id, prompt)), system.cancelled(conn_id, prompt), charged


def orders_by_prompt(system, conn_id):
    return Counter(job.prompt.split(" ", 1)[1] for job in system.gateways[conn_id].jobs.all())


def plain_video(system, run_id, number):
    """Return the ID of the video of the task `takes.plain` in a pass."""
    return system.lab.result("three_passes", run_id, "takes.plain", pass_index=number)["id"]


def story(system, dag_id, run_id):
    states = {
        f"{name} {instance['try_number']}": instance["state"]
        for name, instance in zip(
            system.lab.task_states(dag_id, run_id), system.lab.task_instances(dag_id, run_id), strict=True
        )
    }
    return "\n".join([str(states), *system.airflow_says("rror")[-20:]])


def test_each_pass_has_its_own_keys_and_videos(system, runs):
    run_id = runs["veo_keys"]
    assert system.until_over("three_passes", run_id) == "success", story(system, "three_passes", run_id)
    jobs = system.gateways["veo_keys"].jobs
    assert orders_by_prompt(system, "veo_keys") == dict.fromkeys(NAMES, 3)
    assert jobs.counters.repeated_orders == 0
    assert len({job.key for job in jobs.all()}) == 9
    assert len({plain_video(system, run_id, number) for number in PASSES}) == 3


def test_a_retry_in_a_pass_collects_the_video_of_that_pass(system, runs):
    run_id = runs["veo_retry"]
    assert system.until_over("three_passes", run_id) == "success", story(system, "three_passes", run_id)
    tries = {
        number: one["try_number"]
        for number in PASSES
        for one in system.lab.task_instances("three_passes", run_id, "takes.plain", number)
    }
    assert tries[1] >= 2, "the task did not die"
    assert orders_by_prompt(system, "veo_retry") == dict.fromkeys(NAMES, 3)
    ordered = [job.id for job in system.jobs("veo_retry", f"{run_id} plain")]
    assert ordered == [plain_video(system, run_id, number) for number in reversed(PASSES)]


def test_a_clear_of_a_gate_orders_new_videos_for_the_later_passes(system, runs):
    """Airflow gives the later passes a new region with the same numbers. The server honours idempotency keys."""
    run_id = runs["veo_keys"]
    assert system.until_over("three_passes", run_id) == "success"
    before, delivered = orders_by_prompt(system, "veo_keys"), plain_video(system, run_id, 0)
    keys = {job.key for job in system.gateways["veo_keys"].jobs.all()}
    gate = next(one["task_id"] for one in system.lab.task_instances("three_passes", run_id) if "gate" in one["task_id"])
    system.lab.clear_in_dialog("three_passes", run_id, gate, pass_index=0)
    assert system.until_over("three_passes", run_id) == "success", story(system, "three_passes", run_id)
    assert system.gateways["veo_keys"].jobs.counters.repeated_orders == 0
    assert orders_by_prompt(system, "veo_keys") - before == dict.fromkeys(NAMES, 2)
    assert len({job.key for job in system.gateways["veo_keys"].jobs.all()} - keys) == 6
    assert plain_video(system, run_id, 0) == delivered


@pytest.mark.parametrize("keep", [False, True])
def test_a_clear_of_a_delivered_task_in_one_pass_orders_one_new_video(system, runs, keep):
    run_id = runs["veo_retry"]
    assert system.until_over("three_passes", run_id) == "success"
    before = orders_by_prompt(system, "veo_retry")
    clear_one(system, "three_passes", run_id, "takes.plain", keep=keep)
    assert system.until_over("three_passes", run_id) == "success", story(system, "three_passes", run_id)
    assert orders_by_prompt(system, "veo_retry") - before == {"plain": 1}


def test_a_worker_that_gets_sigterm_in_a_cleared_earlier_pass_cancels_nothing(system, runs):
    conn_id, run_id = "veo_evicted", runs["veo_evicted"]
    assert system.until_over("on_workers", run_id) == "success", story(system, "on_workers", run_id)
    with system.held(conn_id):
        clear_one(system, "on_workers", run_id, "shots.plain")
        system.wait_until("the second order", lambda: len(system.jobs(conn_id, f"{run_id} plain in pass 0")) == 2)
        counters = system.gateways[conn_id].jobs.counters
        polls = counters.polls
        system.wait_until("the wait", lambda: counters.polls >= polls + 1)
        [task] = system.lab.task_instances("on_workers", run_id, "shots.plain", 0)
        polls = counters.polls
        os.kill(task["pid"], signal.SIGTERM)
        system.wait_until("the task to continue", lambda: counters.polls >= polls + 3)
    assert system.until_over("on_workers", run_id) == "success"
    assert counts(system, conn_id, f"{run_id} plain in pass 0") == (2, 0, 2)


RUNNING = {
    ("shots.plain", 0): "plain in pass 0",  # another pass came after it
    ("shots.plain", 1): "plain in pass 1",
    ("shots.mapped", 0): "mapped in pass 0",
    ("plain", None): "plain",
    ("mapped", None): "mapped",
}


@pytest.mark.parametrize("keep", [False, True])
def test_a_clear_of_a_running_task_is_charged_once(system, runs, keep):
    """The tasks had delivered a video before, and were cleared: so each first orders another one.

    Then the clear of the running task either cancels this job and orders anew, or continues with it.
    """
    run_id = runs["veo_running"]
    assert system.until_over("on_workers", run_id) == "success", story(system, "on_workers", run_id)
    tasks = [RunningTask(system, run_id, task_id, number, prompt) for (task_id, number), prompt in RUNNING.items()]
    with system.held("veo_running"):
        for task in tasks:
            clear_one(system, "on_workers", run_id, task.task_id, number=task.number)
        for task in tasks:
            system.wait_until(f"the order of {task.prompt}", task.waits_anew)
        for task in tasks:
            task.remember()
            clear_one(system, "on_workers", run_id, task.task_id, number=task.number, keep=keep)
        for task in tasks:
            system.wait_until(f"the new try of {task.prompt}", task.waits_anew)
        with contextlib.suppress(TimeoutError):  # a job that should be cancelled and is not costs a charge
            wait_until("cancellations", lambda: all(task.is_paid_once() for task in tasks), 60)
    assert system.until_over("on_workers", run_id) == "success", story(system, "on_workers", run_id)
    assert {task.prompt: task.new_charges() for task in tasks} == dict.fromkeys(RUNNING.values(), 1)
    assert [task.prompt for task in tasks if not task.is_paid_once()] == []


class RunningTask:
    """A task that waits on its worker, and its jobs since this object was made."""

    def __init__(self, system, run_id, task_id, number, prompt):
        self.system, self.run_id, self.task_id, self.number = system, run_id, task_id, number
        self.prompt = prompt
        self.delivered = {job.id for job in system.jobs("veo_running", f"{run_id} {prompt}")}
        self.remember()

    def remember(self):
        self.try_number = self.instance()["try_number"]

    def instance(self):
        [found] = self.system.lab.task_instances("on_workers", self.run_id, self.task_id, self.number)
        return found

    def jobs(self):
        jobs = self.system.jobs("veo_running", f"{self.run_id} {self.prompt}")
        return [job for job in jobs if job.id not in self.delivered]

    def waits_anew(self):
        """Return whether a later try than the remembered one has asked for the job."""
        instance, jobs = self.instance(), self.jobs()
        if instance["try_number"] <= self.try_number or instance["state"] != "running" or not jobs:
            return False
        return f"GET /v1/videos/{jobs[0].id}?" in self.system.gateways["veo_running"].jobs.requests

    def is_paid_once(self):
        return len([job for job in self.jobs() if not job.cancelled]) == 1

    def new_charges(self):
        self.system.charged("veo_running", f"{self.run_id} {self.prompt}")  # waits for the jobs
        jobs = self.system.gateways["veo_running"].jobs
        return len({job.id for job in self.jobs()} & {job.id for job in jobs.charged()})


def clear_one(system, dag_id, run_id, task_id, *, number=0, keep=False):
    """Clear the task in one pass only."""
    system.lab.clear_in_dialog(
        dag_id, run_id, task_id, keep_task_state=keep, downstream=False, prevent_rerun=False, pass_index=number
    )


def test_the_lab_starts_a_scheduler_anew_that_ends_by_itself(system):
    """That of Airflow 3.4 does when SQLite is locked, and the tests would wait for ever."""
    lab = system.lab
    [ended] = lab.schedulers()
    for process in [*ended.children(recursive=True), ended]:
        process.kill()
    system.wait_until("another scheduler", lambda: lab.schedulers() not in ([], [ended]))
    system.wait_until("its heartbeat", lambda: lab.get("/monitor/health")["scheduler"]["status"] == "healthy")
