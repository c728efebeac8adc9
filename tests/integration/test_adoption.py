"""Adoption: a task continues with the job that a person found in the gateway's console, without a new order."""

from __future__ import annotations

import re
import time
from threading import Event

import pytest

from airflow_provider_veo.api.net import limits
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.emulator.faults import Fault, Trouble
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.hooks.veo import VeoHook
from tests.support.odd_values import ODD_VALUES
from tests.support.scripted_server import KEY, Reply, connect
from tests.support.task_driver import TaskDriver

LOST = Fault(Trouble.DROPPED, accepted=True)
NEVER_THERE = Fault(Trouble.DROPPED)


def lost(task, fault=LOST, **arguments):
    """Return a task whose order is unknown."""
    task.emulator.faults.add("order", fault)
    driver = task(**arguments)
    assert "It is unknown whether a video was ordered" in str(driver.run())
    return driver


def orders(task):
    return len(task.emulator.jobs.all())


def adopt(driver, value):
    driver.store.values["veo_adopt"] = value
    return driver.clear().run()


def test_an_adopted_job_is_paid_once(emulated_task, tmp_path):
    driver = lost(emulated_task, destination=f"{tmp_path}/a.mp4")
    (job,) = emulated_task.emulator.jobs.all()
    result = adopt(driver, f" {job.id}\n")
    assert (result["id"], result["submissions"], orders(emulated_task)) == (job.id, 1, 1)
    assert (tmp_path / "a.mp4").exists()
    assert "veo_adopt" not in driver.store.values
    assert driver.store.values["veo_submission"]["state"] == "delivered"


def test_a_retry_that_may_order_again_adopts_the_job_too(emulated_task):
    driver = lost(emulated_task, on_unknown_submission="resubmit")
    (job,) = emulated_task.emulator.jobs.all()
    driver.store.values["veo_adopt"] = job.id
    assert driver.run()["id"] == job.id
    assert orders(emulated_task) == 1


def test_a_clear_without_veo_adopt_orders_again(emulated_task):
    driver = lost(emulated_task)
    assert driver.clear().run()["submissions"] == 1
    assert orders(emulated_task) == 2


def test_veo_adopt_is_ignored_without_an_unknown_order(emulated_task):
    driver = emulated_task()
    driver.store.values["veo_adopt"] = "task_of_another_user"
    first = driver.run()
    assert (first["status"], orders(emulated_task)) == ("completed", 1)
    assert driver.clear().run()["id"] not in ("task_of_another_user", first["id"])


@pytest.mark.parametrize("written", ["record", "key"])
def test_an_adoption_survives_a_failing_state_store(emulated_task, written):
    driver = lost(emulated_task)
    (job,) = emulated_task.emulator.jobs.all()
    driver.store.broken.add("set" if written == "record" else "delete")
    first = adopt(driver, job.id)
    if written == "record":
        assert "nothing was ordered" in str(first)
        assert driver.store.values["veo_submission"]["state"] == "intent"
    else:
        assert (first["id"], driver.store.values["veo_adopt"]) == (job.id, job.id)
    driver.store.broken.clear()
    assert driver.run()["id"] == job.id
    assert orders(emulated_task) == 1


def test_a_leftover_veo_adopt_does_not_apply_to_the_next_unknown_order(emulated_task):
    driver = lost(emulated_task)
    (job,) = emulated_task.emulator.jobs.all()
    driver.store.broken.add("delete")
    assert adopt(driver, job.id)["id"] == job.id
    emulated_task.emulator.faults.add("order", NEVER_THERE)
    assert "It is unknown" in str(driver.clear().run())
    error = driver.clear().run()
    assert isinstance(error, VeoFailException)
    assert "was made by an earlier order of this task" in str(error)
    assert orders(emulated_task) == 1


def test_a_delivered_video_is_not_adopted(emulated_task):
    driver = emulated_task()
    delivered = driver.run()["id"]
    emulated_task.emulator.faults.add("order", NEVER_THERE)
    assert "It is unknown" in str(driver.clear().run())
    error = adopt(driver, delivered)
    assert delivered in str(error)
    assert "earlier order of this task" in str(error)
    assert orders(emulated_task) == 1
    del driver.store.values["veo_adopt"]
    assert driver.clear().run()["id"] != delivered  # the error advises this


def refused(driver, value, *words, task, count):
    error = adopt(driver, value)
    assert isinstance(error, VeoFailException), error
    for word in (*words, "Nothing was ordered", "delete it, then clear the task"):
        assert word in str(error)
    assert orders(task) == count
    assert driver.store.values["veo_submission"]["state"] == "intent"


def test_an_unknown_id_is_refused(emulated_task, mocker):
    driver = lost(emulated_task)
    mocker.patch("airflow_provider_veo.orders.decision.RECENT", 0.0)
    refused(driver, "task_unknown", "task_unknown", "could not be read", task=emulated_task, count=1)


def test_a_retry_asks_again_for_an_id_that_the_server_may_not_know_yet(emulated_task):
    driver = lost(emulated_task)
    error = adopt(driver, "task_unknown")
    assert not isinstance(error, VeoFailException)
    assert "could not be read" in str(error)
    assert orders(emulated_task) == 1


def test_a_failed_job_is_refused(emulated_task):
    emulated_task.emulator.jobs.fail_next("Content policy violation", "task_failed")
    driver = lost(emulated_task)
    (job,) = emulated_task.emulator.jobs.all()
    while job.status(time.time()) != "failed":
        time.sleep(0.05)
    refused(driver, job.id, "is failed", "Content policy violation", task=emulated_task, count=1)


@pytest.mark.parametrize("model", ["veo-3.1-fast", "veo-3.1-landscape"])
def test_a_job_of_another_model_is_refused(emulated_task, model):
    emulated_task.emulator.jobs.hold()
    other = VeoHook().create_video(VideoSpec("p", model=model)).id
    driver = lost(emulated_task, NEVER_THERE)
    refused(driver, other, f"of the model {model}, and veo-3.1 was ordered", task=emulated_task, count=1)


def test_an_upstream_name_of_the_model_is_accepted(emulated_task):
    driver = lost(emulated_task)
    (job,) = emulated_task.emulator.jobs.all()
    while job.status(time.time()) != "completed":
        time.sleep(0.05)  # by then the gateway calls it sora2_video_generation
    assert adopt(driver, job.id)["id"] == job.id


@pytest.mark.parametrize("arguments", [{"prompt": "q"}, {"model": "veo-3.1-fast"}])
def test_a_task_with_a_changed_request_adopts_no_job(emulated_task, arguments):
    driver = lost(emulated_task)
    (job,) = emulated_task.emulator.jobs.all()
    driver.arguments |= arguments
    refused(
        driver,
        job.id,
        "the request has changed",
        f"VeoDownloadOperator(video_id='{job.id}')",
        task=emulated_task,
        count=1,
    )


BAD = ["", "  ", ".", "..", "a\nb", "a\x00b", "x" * 1_025, True, [], {}, ["id"], {"id": "v"}, 1.5, "\u202eid"]


def test_a_value_that_is_not_an_id_is_refused(emulated_task):
    driver = lost(emulated_task)
    for value in BAD:
        refused(driver, value, "must be the id of a video job", task=emulated_task, count=1)


def test_an_odd_value_neither_orders_nor_breaks_the_task(emulated_task):
    driver = lost(emulated_task)
    for value in ODD_VALUES:
        if value is not None:  # Airflow's store does not take None
            driver.store.values["veo_adopt"] = value
            assert "veo_adopt" in str(driver.clear().run()), value
    assert orders(emulated_task) == 1


def test_a_cancelled_job_is_not_replaced(monkeypatch):
    with EmulatorServer(Settings(api_key=KEY, generation_seconds=60, can_cancel=True)) as emulator:
        connect(monkeypatch, emulator.url)
        emulator.faults.add("order", LOST)
        driver = TaskDriver({"prompt": "p", "model": "veo-3.1", "poll_interval": 0.1})
        driver.run()
        (job,) = emulator.jobs.all()
        emulator.jobs.cancel(job)
        assert "is cancelled" in str(adopt(driver, job.id))
        assert len(emulator.jobs.all()) == 1


def test_the_error_prints_the_request_that_adopts_a_job(emulated_task):
    driver = lost(emulated_task)
    assert re.search(
        r"PUT /api/v2/dags/d/dagRuns/r/taskInstances/t/state-store/veo_adopt\?map_index=-1 "
        r'with the body \{"value": "ID OF THE JOB"\}; then clear this task',
        str(driver.errors[-1]),
    )


def test_without_a_state_store_the_error_does_not_mention_veo_adopt(emulated_task):
    emulated_task.emulator.faults.add("order", LOST)
    driver = emulated_task()
    driver.store = None
    error = str(driver.run())
    assert "It is unknown" in error
    assert "veo_adopt" not in error
    assert "VeoDownloadOperator" in error


@pytest.fixture
def listing(request, monkeypatch):
    """Start an emulator with a dialect, as the default connection."""
    with EmulatorServer(Settings(dialect=request.param, api_key=KEY, generation_seconds=0.5)) as emulator:
        connect(monkeypatch, emulator.url, request_format="multipart")
        yield emulator


def lost_here(emulator, fault=LOST, model="sora-2"):
    emulator.faults.add("order", fault)
    driver = TaskDriver({"prompt": "p", "model": model, "poll_interval": 0.1})
    return driver, str(driver.run())


WAN = "Wan-AI/Wan2.2-T2V-A14B-Diffusers"


@pytest.mark.parametrize(("listing", "model"), [("openai", "sora-2"), ("vllm-omni", WAN)], indirect=["listing"])
def test_the_error_names_the_listed_jobs_and_adopts_none(listing, model):
    driver, error = lost_here(listing, model=model)
    (job,) = listing.jobs.all()
    assert f"The server lists these jobs of that time and model, the nearest first: {job.id} (" in error
    again = str(driver.run())
    assert f"{job.id} (" in again
    assert len(listing.jobs.all()) == 1
    assert adopt(driver, job.id)["id"] == job.id


@pytest.mark.parametrize("listing", ["openai"], indirect=True)
def test_a_listed_job_of_another_model_is_refused(listing):
    other = VeoHook().create_video(VideoSpec("p", model="sora-9")).id
    driver, error = lost_here(listing, NEVER_THERE)
    assert other not in error
    assert "is of the model sora-9, and sora-2 was ordered" in str(adopt(driver, other))
    assert len(listing.jobs.all()) == 1


@pytest.mark.parametrize("listing", ["relay", "litellm", "new-api"], indirect=True)
def test_a_server_without_a_list_does_not_change_the_error(listing):
    _, error = lost_here(listing)
    assert "The server lists" not in error
    assert "It is unknown whether a video was ordered" in error


LISTS = [
    Reply(404, {"detail": "Not Found"}),
    Reply(405, ""),
    Reply(500, "<html>"),
    Reply(200, "<html>"),
    Reply(200, {"data": {"id": "v"}}),
    Reply(200, {"data": [None, 7, [], {"id": ["v"]}, {"id": "x\ny", "created_at": 1}]}),
    Reply(200, "[" * 100_000),
    Reply(200, {"data": [{"id": "v", "created_at": 1e308, "status": "queued"}]}),
    Reply(200, b"{", close_early=0),
]


@pytest.mark.parametrize("said", LISTS, ids=lambda said: f"{said.status} {str(said.body)[:30]}")
def test_a_broken_list_does_not_hide_the_error(serve, monkeypatch, said):
    server = serve(lambda request: Reply(500, "no") if request.method == "POST" else said)
    connect(monkeypatch, server.url)
    error = str(TaskDriver({"prompt": "p", "model": "veo-3.1"}).run())
    assert "It is unknown whether a video was ordered. Creating the video failed (HTTP 500)" in error
    assert "The server lists" not in error


def test_the_task_does_not_wait_for_a_list_that_never_comes(serve, monkeypatch):
    monkeypatch.setattr(limits, "GLANCE_SECONDS", 0.2)
    over = Event()

    def answer(request):
        if request.method == "GET":
            over.wait(60)
        return Reply(500, "no")

    connect(monkeypatch, serve(answer).url)
    began = time.monotonic()
    error = str(TaskDriver({"prompt": "p", "model": "veo-3.1"}).run())
    over.set()
    assert "It is unknown whether a video was ordered" in error
    assert time.monotonic() - began < 30


def test_the_texts_of_listed_jobs_are_cleaned(serve, monkeypatch):
    now = time.time()
    jobs = [
        {"id": "good", "status": "queued", "model": "veo-3.1", "created_at": now},
        {"id": f"with-{KEY}", "status": "queued", "model": "veo-3.1", "created_at": now},
        {"id": "\u202eevil", "status": "queued", "created_at": now},
        {"id": "n" * 5_000, "status": "queued", "created_at": now},
    ]
    server = serve(lambda request: Reply(500, "no") if request.method == "POST" else Reply(200, {"data": jobs}))
    connect(monkeypatch, server.url)
    error = str(TaskDriver({"prompt": "p", "model": "veo-3.1"}).run())
    assert "the nearest first: good (queued, created 20" in error
    for words in (KEY, "evil", "nnnn"):
        assert words not in error
