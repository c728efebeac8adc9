"""A clear or a retry: the record decides, in sequences of steps of users, schedulers and Dag authors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.orders.decision import make_next_record, resume_record, was_cleared
from airflow_provider_veo.orders.identity import TaskIdentity
from airflow_provider_veo.orders.order import Order
from airflow_provider_veo.orders.record import OrderRecord, State
from tests.unit.orders.samples import ORDER, RECORD, record


@dataclass
class Airflow:
    """The rules of Airflow 3.3's `clear_task_instances` and scheduler, for one task instance.

    Attributes:
        retries: Number of retries that the Dag gives the task now.
        counts_clears: The task's context has `dag_run.clear_number`.
    """

    retries: int
    counts_clears: bool = True
    max_tries: int = field(init=False)
    tries: int = 0
    clears: int = 0
    record: OrderRecord | None = None
    cleared: list = field(default_factory=list)

    def __post_init__(self):
        self.max_tries = self.retries

    def run(self):
        """Run a try that orders, or continues with its order; note whether it counts as one after a clear."""
        self.tries += 1
        order = Order(
            fingerprint="f",
            epoch=self.max_tries,
            now=float(self.tries),
            timeout=60.0,
            max_submissions=2,
            on_unknown_submission="fail",
            try_number=self.tries,
            clear_number=self.clears if self.counts_clears else None,
            retries=self.retries,
        )
        if self.record is None:
            self.record = make_next_record(None, order, "me")
        else:
            self.cleared.append(was_cleared(self.record, order))
            self.record = resume_record(self.record, order)

    def clear(self):
        self.max_tries = self.tries + self.retries
        self.clears += 1

    def clear_while_it_runs(self):
        """The worker is ended, and the executor reports a failure: the task is retried, `max_tries` stays."""
        self.clears += 1

    def clear_another_task(self):
        self.clears += 1

    def lower(self):
        self.retries = max(0, self.retries - 1)

    def raise_(self):
        self.retries += 1


# `retries`, the steps, and whether each try after the first counts as one after a clear
SEQUENCES = [
    (2, "run run run", [False, False]),
    (2, "run clear run", [True]),
    (0, "run clear run", [True]),
    (0, "run clear run clear run", [True, True]),
    (2, "run run clear run run", [False, True, False]),
    (2, "run clear run run clear run", [True, False, True]),
    # another task of the run is cleared
    (2, "run clear_another_task run", [False]),
    (2, "run clear_another_task run clear_another_task run", [False, False]),
    # `retries` is changed, without a clear
    (2, "run lower run", [False]),
    (2, "run raise_ run", [False]),
    (2, "run lower lower run", [False]),
    # `retries` is lowered so that `max_tries` stays
    (2, "run lower clear run", [True]),
    (2, "run run lower lower clear run", [False, True]),
    (2, "run lower clear run run", [True, False]),
    (1, "run lower clear run", [True]),
    # or changes all the same
    (2, "run lower lower clear run", [True]),
    (2, "run raise_ clear run", [True]),
    (2, "run lower clear run raise_ clear run", [True, True]),
    # a clear of a running task keeps `max_tries`: it counts as a retry, which continues with its job
    (2, "run clear_while_it_runs run", [False]),
    (2, "run clear_while_it_runs run clear run", [False, True]),
]


@pytest.mark.parametrize(("retries", "steps", "cleared"), SEQUENCES)
def test_a_clear_is_distinguished_from_a_retry(retries, steps, cleared):
    airflow = Airflow(retries)
    for step in steps.split():
        getattr(airflow, step)()
    assert airflow.cleared == cleared


@pytest.mark.parametrize(("steps", "cleared"), [("run lower clear run", [False]), ("run clear run", [True])])
def test_without_a_count_of_clears_an_ambiguous_clear_counts_as_a_retry(steps, cleared):
    airflow = Airflow(2, counts_clears=False)
    for step in steps.split():
        getattr(airflow, step)()
    assert airflow.cleared == cleared


def test_a_record_of_an_earlier_version_counts_as_a_retry_until_max_tries_changes():
    airflow = Airflow(2)
    airflow.run()
    airflow.record = replace(airflow.record, try_number=None, clear_number=None)
    airflow.lower()
    airflow.clear()
    airflow.run()
    assert airflow.cleared == [False]
    airflow.clear()
    airflow.run()
    assert airflow.cleared == [False, True]


steps = st.sampled_from(["run", "clear", "clear_another_task", "clear_while_it_runs", "raise_"])


@given(st.integers(0, 4), st.lists(steps, max_size=12))
def test_no_retry_counts_as_a_clear_while_retries_are_not_lowered(retries, sequence):
    airflow, expected, cleared, first = Airflow(retries), [], False, True
    for step in sequence:
        getattr(airflow, step)()
        if step == "clear":
            cleared = True
        if step == "run":
            expected += [] if first else [cleared]
            cleared, first = False, False
    assert [one and not real for one, real in zip(airflow.cleared, expected, strict=True)] == [False] * len(expected)


@given(
    st.integers(0, 4), st.lists(st.sampled_from(["run", "clear", "lower", "raise_", "clear_another_task"]), max_size=12)
)
def test_each_clear_is_recognised_if_the_next_try_has_the_same_retries(retries, sequence):
    airflow = Airflow(retries)
    airflow.run()
    for step in sequence:
        getattr(airflow, step)()
        if step == "clear":
            airflow.run()
            assert airflow.cleared[-1]


def test_an_identity_has_the_counts_of_airflow():
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, max_tries=2, try_number=3)
    task = TaskIdentity.of(ti, SimpleNamespace(clear_number=1), SimpleNamespace(retries=2))
    assert (task.epoch, task.try_number, task.clear_number, task.retries) == (2, 3, 1, 2)


@pytest.mark.parametrize("others", [(None, None), (SimpleNamespace(), SimpleNamespace(retries=None))])
def test_an_identity_has_no_count_that_airflow_does_not_give(others):
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, max_tries=None)
    task = TaskIdentity.of(ti, *others)
    assert (task.epoch, task.try_number, task.clear_number, task.retries) == (0, None, None, None)


NUMBERED = replace(ORDER, try_number=3, clear_number=0, retries=2)


@pytest.mark.parametrize(
    ("on_record", "now", "is_cleared"),
    [("a", "b", True), ("a", "a", False), ("a", None, False), (None, "b", False), (None, None, False)],
)
def test_a_clear_of_a_gate_in_a_task_loop_is_recognized_by_the_region(on_record, now, is_cleared):
    """Such a clear gives the task instance another region, and its numbers start anew: they say nothing."""
    before = replace(RECORD, region=on_record)
    assert was_cleared(before, replace(ORDER, region=now)) is is_cleared
    numbered = replace(before, try_number=9, clear_number=4)
    assert was_cleared(numbered, replace(NUMBERED, region=now)) is is_cleared


def test_after_a_clear_of_a_gate_a_retry_is_a_retry():
    moved = replace(ORDER, region="b")
    assert not was_cleared(resume_record(replace(RECORD, region="a"), moved), moved)
    assert not was_cleared(make_next_record(replace(RECORD, region="a"), moved, "me"), moved)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_try_that_airflow_has_given_up_never_counts_as_cleared(state, epoch):
    """A clear makes a later try, whose record the process of the earlier one may read before it ends."""
    later = record(state, try_number=4)
    assert not was_cleared(later, replace(NUMBERED, epoch=epoch))


@pytest.mark.parametrize("state", State)
def test_a_run_that_was_deleted_and_made_anew_does_not_return_the_delivered_video_of_its_predecessor(state):
    """A try that has delivered a video does not run again, so another run has made the record."""
    assert was_cleared(record(state, try_number=3), NUMBERED) is (state is State.DELIVERED)
    assert not was_cleared(record(state, try_number=2), NUMBERED)
