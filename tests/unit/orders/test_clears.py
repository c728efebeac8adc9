"""Clear or retry: what a record says about it, over sequences of what users, schedulers and Dag authors do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.orders.submission import Action, Order, Submission, next_submission, was_cleared
from airflow_provider_veo.orders.video import TaskIdentity


@dataclass
class Airflow:
    """The rules of Airflow 3.3's `clear_task_instances` and scheduler, for one task instance.

    Attributes:
        retries: as the Dag says now.
        tells_clears: whether the task's context has `dag_run.clear_number`.
    """

    retries: int
    tells_clears: bool = True
    max_tries: int = field(init=False)
    tries: int = 0
    clears: int = 0
    record: Submission | None = None
    cleared: list = field(default_factory=list)

    def __post_init__(self):
        self.max_tries = self.retries

    def run(self):
        """Run a try that orders, or goes on with its order; tell whether it takes itself for a Clear."""
        self.tries += 1
        order = Order(
            fingerprint="f",
            epoch=self.max_tries,
            now=float(self.tries),
            timeout=60.0,
            max_submissions=2,
            on_unknown_submission="fail",
            try_number=self.tries,
            clear_number=self.clears if self.tells_clears else None,
            retries=self.retries,
        )
        if self.record is None:
            self.record = next_submission(None, order, Action.SUBMIT_NEW, "me")
        else:
            self.cleared.append(was_cleared(self.record, order))
            self.record = self.record.followed(order)

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


# `retries`, the steps, and whether each try after the first takes itself for a Clear
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
    # `retries` is changed, and nobody clears
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
    # a Clear of a running task keeps `max_tries`: taken for a retry, which goes on with its job
    (2, "run clear_while_it_runs run", [False]),
    (2, "run clear_while_it_runs run clear run", [False, True]),
]


@pytest.mark.parametrize(("retries", "steps", "cleared"), SEQUENCES)
def test_a_clear_is_told_from_a_retry(retries, steps, cleared):
    airflow = Airflow(retries)
    for step in steps.split():
        getattr(airflow, step)()
    assert airflow.cleared == cleared


@pytest.mark.parametrize(("steps", "cleared"), [("run lower clear run", [False]), ("run clear run", [True])])
def test_where_airflow_does_not_tell_of_clears_the_ambiguous_one_is_a_retry(steps, cleared):
    airflow = Airflow(2, tells_clears=False)
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
def test_as_long_as_retries_are_not_lowered_no_retry_is_taken_for_a_clear(retries, sequence):
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
def test_each_clear_is_seen_when_the_try_follows_with_the_same_retries(retries, sequence):
    airflow = Airflow(retries)
    airflow.run()
    for step in sequence:
        getattr(airflow, step)()
        if step == "clear":
            airflow.run()
            assert airflow.cleared[-1]


def test_what_a_context_tells():
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, max_tries=2, try_number=3)
    context = {"ti": ti, "dag_run": SimpleNamespace(clear_number=1), "task": SimpleNamespace(retries=2)}
    who = TaskIdentity.of(context)
    assert (who.epoch, who.try_number, who.clear_number, who.retries) == (2, 3, 1, 2)


def test_what_a_context_does_not_tell_is_not_known():
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, max_tries=None)
    who = TaskIdentity.of({"ti": ti, "dag_run": SimpleNamespace(), "task": SimpleNamespace(retries=None)})
    assert (who.epoch, who.try_number, who.clear_number, who.retries) == (0, None, None, None)
