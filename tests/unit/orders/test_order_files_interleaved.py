"""No order of events pays twice: tries that are interleaved, killed and disturbed at each step, and clears.

A clear may order although a video is paid for, but only after a warning that names the order that it leaves behind.
"""

from __future__ import annotations

import queue
import tempfile
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_veo import version_compat
from airflow_provider_veo.api.errors import NotSentError, TransportError, VeoError
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.api.video import Video, VideoStatus
from airflow_provider_veo.orders import sender
from airflow_provider_veo.orders.decision import HandOver
from airflow_provider_veo.orders.identity import TaskIdentity
from airflow_provider_veo.orders.order import Order
from airflow_provider_veo.orders.order_files import OrderFiles
from airflow_provider_veo.orders.record import Kept
from airflow_provider_veo.orders.store import OrderStore
from airflow_provider_veo.orders.video import JobOrders
from airflow_provider_veo.storage import local
from airflow_provider_veo.storage.local import LocalTarget
from tests.support.task_state_store import FakeTaskStateStore

RETRIES = 20
SPEC = VideoSpec(prompt="p", model="m")


class Killed(BaseException):
    """The process of a try was killed."""


class DisturbedError(Exception):
    """A storage, a store or a server failed."""


@dataclass
class Job:
    """A job at the server: it is charged when it is made."""

    id: str
    entry: int
    is_delivered: bool = False
    is_on_record: bool = False


@dataclass
class World:
    """Airflow, the storage and the server, as the tries of one task instance see them.

    Attributes:
        store: Airflow's task state store; None before Airflow 3.3.
        jobs: The jobs that the server has made.
        left: Numbers of the orders that a cleared try has left behind, after a warning.
        tries: The tries so far.
        max_tries: Airflow's counter, which changes with each clear.
        clears: Number of clears.
        paid_again: Jobs that were paid for, not delivered and not left behind when another order was sent.
    """

    store: FakeTaskStateStore | None
    jobs: list[Job] = field(default_factory=list)
    left: set[int] = field(default_factory=set)
    tries: list[Try] = field(default_factory=list)
    max_tries: int = RETRIES
    clears: int = 0
    paid_again: list[Job] = field(default_factory=list)

    @property
    def active(self) -> list[Try]:
        return [one for one in self.tries if not one.is_over]

    def start(self, *, on_clear: str) -> Try:
        self.tries.append(Try(self, len(self.tries) + 1, on_clear))
        return self.tries[-1]

    def clear(self, *, keeping: bool) -> None:
        self.max_tries = len(self.tries) + RETRIES
        self.clears += 1
        if self.store is not None and not keeping:
            self.store.values.clear()

    def make_job(self, by: Try) -> Job:
        """Make a job, which is charged, unless a paid video is not delivered and no warning has named it."""
        assert by.entry is not None, "each order has a number before it is sent"
        if by.entry not in self.left:
            self.paid_again += [job for job in self.jobs if not job.is_delivered and job.entry not in self.left]
        self.jobs.append(Job(f"video-{len(self.jobs)}", by.entry))
        return self.jobs[-1]


class SpiedStore(OrderStore):
    """An order store that shows the record which a try has read last."""

    seen: Any = None
    world: World
    on_record: tuple[Job, ...] = ()

    def read(self) -> Any:
        self.on_record = tuple(job for job in self.world.jobs if job.is_on_record)
        self.seen = super().read()
        return self.seen


class Try:
    """A try of the task, in a thread that stops before each step and waits for a command.

    Args:
        world: Everything outside of the try.
        number: Number of the try.
        on_clear: Action after a clear.
    """

    def __init__(self, world: World, number: int, on_clear: str) -> None:
        self.world = world
        self.number = number
        self.entry: int | None = None
        self.error: BaseException | None = None
        self.is_over = False
        self.is_undisturbed = True
        self._identity = TaskIdentity(
            "d", "r", "t", -1, world.max_tries, try_number=number, clear_number=world.clears, retries=RETRIES
        )
        self._on_clear = on_clear
        self._store = SpiedStore(world.store, OrderFiles(self._identity))
        self._store.world = world
        self._commands: queue.Queue[str] = queue.Queue()
        self._stops: queue.Queue[str] = queue.Queue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._stops.get(timeout=60)

    def go_on(self, command: str = "go") -> None:
        """Let the try make its next step, or let the step fail, or kill the try there."""
        if not self.is_over:
            self._commands.put(command)
            self.is_over = self._stops.get(timeout=60) == "over"

    def finish(self) -> None:
        """Let the try run to its end."""
        while not self.is_over:
            self.go_on()

    def step(self, error: type[BaseException] = DisturbedError) -> None:
        """Stop until the next command."""
        self._stops.put("stopped")
        command = self._commands.get(timeout=60)
        if command == "kill":
            raise Killed
        if command == "fail":
            self.is_undisturbed = False
            raise error("away")

    def _run(self) -> None:
        CURRENT.one = self
        try:
            self.step()
            self._work()
        except BaseException as error:  # noqa: BLE001 - `check_errors` judges it
            self.error = error
        finally:
            self._stops.put("over")

    def _work(self) -> None:
        order = Order(
            "f",
            epoch=self._identity.epoch,
            now=1000.0,
            timeout=1e10,
            max_submissions=100,
            on_unknown_submission="fail",
            try_number=self._identity.try_number,
            clear_number=self._identity.clear_number,
            retries=RETRIES,
            server="https://api.example.com",
            on_clear=self._on_clear,  # type: ignore[arg-type]
        )
        orders = JobOrders(self, self._store, self._identity, self, lambda *_: None)  # type: ignore[arg-type]
        found = orders.order_or_resume(order, SPEC)
        assert not isinstance(found, HandOver)
        if self.is_undisturbed:
            next(job for job in self.world.jobs if job.id == found.video_id).is_on_record = True
        record = self._store.read()
        if record and record.video_id == found.video_id:
            self._store.write_or_log(record.as_stored(Kept("/v.mp4", 1, "ab", {}, 1)))
        self.step()
        if self.world.tries[-1] is not self:
            return  # Airflow refuses the success of a try that it has given up
        job = next(job for job in self.world.jobs if job.id == found.video_id)
        job.is_delivered = True
        record = self._store.read()
        if record and record.has_job:
            self._store.write_or_log(record.as_delivered())

    # the client of the API
    settings = ClientSettings("https://api.example.com", timeout=1.0)

    def create_video(self, spec: Any, key: str, before_post: Any) -> Video:
        before_post()
        self.entry = self._store._files._latest
        self.step(NotSentError)  # the request does not arrive
        job = self.world.make_job(self)
        self.step(TransportError)  # the answer is lost
        return self.get_video(job.id)

    def get_video(self, video_id: str, own: Any = None) -> Video:
        return Video(video_id, VideoStatus.COMPLETED, status_word="completed")

    def list_videos(self) -> list[Video]:
        return []

    def list_models(self) -> list[str]:
        return []

    # the log of the task
    def info(self, message: str, /, *args: Any) -> None:
        pass

    exception = info

    def warning(self, message: str, /, *args: Any, exc_info: bool = False) -> None:
        if not message.startswith("This task was cleared"):
            return
        entry = self._store.seen.entry
        self.world.left.add(entry)
        if "It is unknown" in message:  # not of a job on record
            self.world.paid_again += [job for job in self._store.on_record if job.entry == entry]


CURRENT = threading.local()


def stepping(function):
    """Return a function of a storage or a store that is a step of the try which calls it, and stops afterwards, too."""

    def stepped(*args, **kwargs):
        one = getattr(CURRENT, "one", None)
        if one is None:
            return function(*args, **kwargs)
        one.step()
        result = function(*args, **kwargs)
        if function.__name__ in ("publish", "set"):
            one.step()  # the file is there, and the try may not learn of it
        return result

    return stepped


@pytest.fixture(scope="module")
def stepped_world():
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((LocalTarget, "publish"), (LocalTarget, "open")):
            patch.setattr(owner, name, stepping(getattr(owner, name)))
        for name in ("get", "set"):
            patch.setattr(FakeTaskStateStore, name, stepping(getattr(FakeTaskStateStore, name)))
        patch.setattr(local.os, "fsync", lambda _: None)  # a power cut is none of the events
        patch.setattr(sender.time, "sleep", lambda _: None)
        patch.setattr(sender.metrics, "send", lambda *_: None)
        patch.setattr(version_compat, "CLEAR_KEEPS_TASK_STATE", False)
        yield patch


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["go"] * 8 + ["kill", "fail", "finish"]), st.integers(0, 1)),
        st.tuples(st.sampled_from(["retry", "clear", "clear keeping", "clear for a new one"]), st.just(0)),
    ),
    max_size=50,
)


@pytest.mark.parametrize("has_store", [True, False], ids=["as Airflow 3.4", "before Airflow 3.3"])
@settings(max_examples=150)
@given(events=EVENTS)
def test_no_paid_video_is_paid_for_again_or_lost(stepped_world, has_store, events):
    with tempfile.TemporaryDirectory() as folder:
        stepped_world.setenv("AIRFLOW__VEO__STORAGE", folder)
        world = World(FakeTaskStateStore() if has_store else None)
        world.start(on_clear="collect")
        for event, which in events:
            play(world, event, which)
        for one in world.active:
            one.finish()
        check_end(world)


def play(world, event, which):
    """Let one event happen."""
    active = world.active
    if event in ("go", "kill", "fail"):
        if active:
            active[which % len(active)].go_on(event)
    elif event == "finish":
        if active:
            active[which % len(active)].finish()
    elif len(active) < 2:
        if event == "retry" and (world.tries[-1].error is None and world.tries[-1].is_over):
            return  # Airflow retries a failure only
        if event.startswith("clear"):
            world.clear(keeping=event == "clear keeping")
        world.start(on_clear="new" if event.endswith("new one") else "collect")
    check_errors(world)


def check_errors(world):
    assert world.paid_again == []
    for one in world.tries:
        assert one.error is None or isinstance(one.error, (Killed, VeoError, DisturbedError)), one.error


def check_end(world):
    """Clear the task once more: the clear collects the paid video that is known, or orders; it never hangs."""
    check_errors(world)
    made = len(world.jobs)
    waiting = [job for job in world.jobs if not job.is_delivered and job.entry not in world.left]
    world.clear(keeping=False)
    last = world.start(on_clear="collect")
    last.finish()
    assert last.error is None
    if waiting and len(world.jobs) == made:
        assert any(job.is_delivered for job in waiting)
