"""Charges on a real Airflow when processes die, triggerers freeze and users act in the UI."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from urllib.parse import quote

import psutil

from airflow_provider_veo.emulator.faults import Fault, Trouble
from airflow_provider_veo.version_compat import AIRFLOW_V_3_4_PLUS
from tests.support.airflow_version import TASK_INSTANCES, XCOMS
from tests.system.system_lab import KEY

POINTS = {
    "before intent": "success",
    "after intent": "unknown",
    "after post": "unknown",
    "before record": "unknown",
    "after record": "success",
    "deferral": "success",
    "resume": "success",
    "download": "success",
    "before storing": "success",
    "after storing": "success",
    "before delivery": "success",
    "after delivery": "success",
}


def test_a_task_killed_at_any_step_pays_at_most_once(system):
    """Each task makes one video or reports an unknown order. All points are tried at the same time."""
    runs = {point: system.start("crashing", point=point, on_unknown="fail") for point in POINTS}
    same = {point: system.start("crashing", "veo_idempotent", point=point, on_unknown="resubmit") for point in POINTS}
    for point, end in POINTS.items():
        run_id = runs[point]
        charged_when_unknown = 0 if point == "after intent" else 1
        if end == "success":
            assert system.until_over("crashing", run_id) == "success", story(system, point, run_id)
            assert system.charged("veo_plain", run_id) == 1, point
        else:
            assert system.until_over("crashing", run_id) == "failed", point
            assert "It is unknown whether a video was ordered" in system.log("crashing", run_id), point
            assert system.charged("veo_plain", run_id) == charged_when_unknown, point
    for point, run_id in same.items():
        assert system.until_over("crashing", run_id) == "success", story(system, point, run_id)
        assert system.charged("veo_idempotent", run_id) == 1, point


def story(system, point, run_id):
    """Print and return all logs of a run, since pytest shortens the message of an assertion."""
    logs = f"{point}:\n{system.all_logs('crashing', run_id)}"
    print(logs)  # noqa: T201 - pytest shows the whole output
    return logs


def test_a_chat_task_killed_after_its_first_video_orders_only_the_second(system):
    """The first call has ordered two videos, so three are charged."""
    before = system.gateways["veo_idempotent"].jobs.counters.chat_videos
    run_id = system.start("crashing_chat", "veo_idempotent")
    assert system.until_over("crashing_chat", run_id) == "success", system.all_logs("crashing_chat", run_id)
    result = system.lab.result("crashing_chat", run_id, "create")
    assert [video["index"] for video in result] == [1, 2]
    assert system.gateways["veo_idempotent"].jobs.counters.chat_videos - before == 3
    assert "Ordering 1 of 2 videos" in system.log("crashing_chat", run_id)


def test_the_request_in_the_error_adopts_a_job_from_the_console(system):
    system.gateways["veo_idempotent"].faults.add("order", Fault(Trouble.DROPPED, accepted=True))
    run_id = system.start("deferred", "veo_idempotent")
    assert system.until_over("deferred", run_id) == "failed"
    (job,) = system.jobs("veo_idempotent", run_id)
    method, path, body = re.search(
        r"by its REST API: (PUT) /api/v2(\S+) with the body (\{.*?\}); then clear this task",
        "\n".join(system.lab.log_lines("deferred", run_id, "create")),
    ).groups()
    system.lab.request(method, path, json.loads(body.replace("ID OF THE JOB", job.id)))
    act(system, "clear", run_id)
    assert system.until_over("deferred", run_id) == "success", system.all_logs("deferred", run_id)
    assert system.lab.result("deferred", run_id, "create")["id"] == job.id
    assert len(system.jobs("veo_idempotent", run_id)) == system.charged("veo_idempotent", run_id) == 1
    left = system.lab.get(f"/dags/deferred/dagRuns/{quote(run_id)}/taskInstances/create/state-store")
    assert [entry["key"] for entry in left["task_state_store"]] == ["veo_submission"]


USER_ACTIONS = {
    "mark failed": ("PATCH", "/dags/deferred/dagRuns/{run}/taskInstances/create", {"new_state": "failed"}),
    "mark success": ("PATCH", "/dags/deferred/dagRuns/{run}/taskInstances/create", {"new_state": "success"}),
    "run failed": ("PATCH", "/dags/deferred/dagRuns/{run}", {"state": "failed"}),
    "clear": (
        "POST",
        "/dags/deferred/clearTaskInstances",
        {"dry_run": False, "dag_run_id": "{run}", "task_ids": ["create"], "only_failed": False},
    ),
}


def act(system, action, run_id, dag_id="deferred"):
    method, path, body = USER_ACTIONS[action]
    body = {name: value.format(run=run_id) if isinstance(value, str) else value for name, value in body.items()}
    path = path.format(run=run_id).replace("/deferred/", f"/{dag_id}/")
    system.lab.request(method, path, body)


def until_it_is_waited_for(system, dag_id, conn_id, run_id):
    """Wait for the first status: before that, no trigger runs to which Airflow could report a user's action."""
    system.wait_until("the order", lambda: system.jobs(conn_id, run_id))
    system.wait_until("the first answer", lambda: "after the order" in system.log(dag_id, run_id))


def until_dealt_with(system, conn_id, run_id):
    """Wait until the job is cancelled, or until the log says that the server cannot cancel."""
    if conn_id == "veo_cancel":
        system.wait_until("the cancellation", lambda: system.cancelled(conn_id, run_id) == 1)
    else:
        logged = "the server cannot cancel jobs"
        system.wait_until("the log line about it", lambda: logged in system.log("deferred", run_id))


def test_a_user_action_on_a_deferred_task_cancels_its_job(system):
    with system.held("veo_cancel"), system.held("veo_plain"):
        runs = {
            (action, conn_id): system.start("deferred", conn_id)
            for action in USER_ACTIONS
            for conn_id in ("veo_cancel", "veo_plain")
            if (action, conn_id) != ("clear", "veo_cancel")  # see the next test
        }
        for (action, conn_id), run_id in runs.items():
            until_it_is_waited_for(system, "deferred", conn_id, run_id)
            act(system, action, run_id)
        for (action, conn_id), run_id in runs.items():
            if action != "clear":
                until_dealt_with(system, conn_id, run_id)
    for (action, conn_id), run_id in runs.items():
        end = system.until_over("deferred", run_id)
        charged, cancelled = system.charged(conn_id, run_id), system.cancelled(conn_id, run_id)
        orders = len(system.jobs(conn_id, run_id))
        case = f"{action} on {conn_id}: {system.all_logs('deferred', run_id)}"
        assert end == "success" or action != "clear", case
        assert (orders, cancelled, charged) == ((1, 1, 0) if conn_id == "veo_cancel" else (1, 0, 1)), case


def test_a_clear_of_a_deferred_task_cancels_its_job_and_orders_one_new_video(system):
    system.lab.request("POST", "/pools", {"name": "gate", "slots": 1, "include_deferred": False})
    with system.held("veo_cancel"):
        run_id = system.start("gated", "veo_cancel")
        until_it_is_waited_for(system, "gated", "veo_cancel", run_id)
        # a pool without slots delays the new try, so that the old trigger acts first
        system.lab.request("PATCH", "/pools/gate", {"name": "gate", "slots": 0, "include_deferred": False})
        act(system, "clear", run_id, "gated")
        until_dealt_with(system, "veo_cancel", run_id)
    system.lab.request("PATCH", "/pools/gate", {"name": "gate", "slots": 1, "include_deferred": False})
    assert system.until_over("gated", run_id) == "success"
    assert (len(system.jobs("veo_cancel", run_id)), system.charged("veo_cancel", run_id)) == (2, 1)


def test_marking_a_task_that_waits_on_its_worker_cancels_its_job(system):
    with system.held("veo_cancel"):
        run_id = system.start("waiting", "veo_cancel")
        until_it_is_waited_for(system, "waiting", "veo_cancel", run_id)
        act(system, "mark failed", run_id, "waiting")
        until_dealt_with(system, "veo_cancel", run_id)
    assert system.charged("veo_cancel", run_id) == 0


def test_a_task_that_gets_sigterm_cancels_nothing(system):
    """The task of an evicted pod gets SIGTERM, too."""
    with system.held("veo_cancel"):
        run_id = system.start("waiting", "veo_cancel")
        until_it_is_waited_for(system, "waiting", "veo_cancel", run_id)
        for process in system.lab.task_processes():
            process.terminate()
        # Airflow calls on_kill, which asks whether a user has acted; then the task continues
        system.wait_until("the question", lambda: system.airflow_says("/task-instances/states", quote(run_id)))
        counters = system.gateways["veo_cancel"].jobs.counters
        polls = counters.polls
        system.wait_until("the task to continue", lambda: counters.polls >= polls + 2)
    assert system.until_over("waiting", run_id) == "success"
    assert (system.cancelled("veo_cancel", run_id), system.charged("veo_cancel", run_id)) == (0, 1)


def test_a_clear_of_a_finished_task_orders_exactly_one_new_video(system):
    run_id = system.start("deferred")
    assert system.until_over("deferred", run_id) == "success"
    act(system, "clear", run_id)
    system.wait_until("the second order", lambda: len(system.jobs("veo_plain", run_id)) == 2)
    assert system.until_over("deferred", run_id) == "success"
    assert system.charged("veo_plain", run_id) == 2


def test_mapped_tasks_order_one_video_each(system):
    before = len(system.gateways["veo_plain"].jobs.all())
    run_id = system.start("mapped")
    assert system.until_over("mapped", run_id) == "success"
    jobs = system.gateways["veo_plain"].jobs.all()[: len(system.gateways["veo_plain"].jobs.all()) - before]
    assert len(jobs) == 20
    assert sum(job.prompt == "mapped 0" for job in jobs) == 2


def test_execution_timeout_holds_while_deferred(system):
    with system.held("veo_cancel"):
        run_id = system.start("hurried", "veo_cancel")
        assert system.until_over("hurried", run_id) == "failed"
    video_id = system.jobs("veo_cancel", run_id)[0].id
    log = system.log("hurried", run_id)
    assert f"Video {video_id} was not finished" in log
    assert "may still finish, and is billed then" in log


def test_the_delay_and_the_reason_of_the_server_reach_airflow(system):
    from airflow_provider_veo.emulator.faults import Fault, Trouble

    system.gateways["veo_idempotent"].faults.add("order", Fault(Trouble.RATE_LIMIT, seconds=40))
    run_id = system.start("deferred", "veo_idempotent")
    system.wait_until("the retry", lambda: system.state("deferred", run_id) == "up_for_retry")
    row = system.sql(f"select retry_delay_override, retry_reason from {TASK_INSTANCES} where run_id = '{run_id}'")[0]
    assert row[0] == 40
    assert "saturated" in row[1]


def test_tasks_with_random_faults_end_in_videos_or_named_errors(system):
    """Thirty per cent of all answers fail."""
    gateway = system.gateways["veo_storm"]
    run_id = system.start("mapped", "veo_storm")
    system.until_over("mapped", run_id)
    rows = system.sql(f"select map_index, state, try_number from {TASK_INSTANCES} where run_id = '{run_id}'")
    states = {map_index: state for map_index, state, _ in rows}
    assert len(states) == 20
    assert set(states.values()) <= {"success", "failed"}
    for map_index, state, try_number in rows:
        if state == "failed":
            log = "\n".join(system.lab.log_lines("mapped", run_id, "create", try_number, map_index))
            assert "It is unknown whether a video was ordered" in log, log[-2000:]
    system.wait_until(
        "jobs to be done", lambda: all(job.status(time.time()) == "completed" for job in gateway.jobs.all())
    )
    videos = sum(state == "success" for state in states.values())
    assert videos <= gateway.jobs.report()["charged"] <= 20
    known = {
        value
        for (value,) in system.sql(f"select value from {XCOMS} where run_id = '{run_id}' and key = 'return_value'")
    }
    assert len(known) == videos
    assert all(any(job.id in str(value) for job in gateway.jobs.charged()) for value in known)


# Tests of triggerers. The first one starts a second triggerer; the second one ends with one triggerer.


def triggerers(system):
    """Return the supervisors of all running triggerers, oldest first."""
    found = [p for p in system.lab.processes() if p.cmdline()[-1:] == ["triggerer"]]
    pids = {p.pid for p in found}
    return sorted((p for p in found if p.ppid() not in pids), key=psutil.Process.create_time)


def with_children(process):
    return [process, *process.children(recursive=True)]


def holder(system, run_id):
    rows = system.sql(
        f"select triggerer_id from trigger join {TASK_INSTANCES} on trigger_id = trigger.id "
        f"where run_id = '{run_id}' limit 1"
    )
    return rows[0][0] if rows else None


def test_a_frozen_triggerer_that_comes_back_cancels_nothing(system):
    with system.held("veo_cancel"):
        run_id = system.start("deferred", "veo_cancel")
        until_it_is_waited_for(system, "deferred", "veo_cancel", run_id)
        first_holder = holder(system, run_id)
        [first] = triggerers(system)
        system.lab.start_component("triggerer")
        frozen = with_children(first)
        for process in frozen:
            process.suspend()
        system.wait_until("the other triggerer", lambda: holder(system, run_id) not in (None, first_holder))
        for process in frozen:
            process.resume()
        # before 3.4, Airflow calls on_kill here; otherwise the test would prove nothing
        taken_for = "Trigger reassigned to another" if AIRFLOW_V_3_4_PLUS else "Trigger cancelled by user action"
        system.wait_until("the old trigger's end", lambda: taken_for in system.log("deferred", run_id))
    assert system.until_over("deferred", run_id) == "success"
    assert (system.cancelled("veo_cancel", run_id), system.charged("veo_cancel", run_id)) == (0, 1)


def test_a_killed_triggerer_loses_none_of_a_hundred_videos(system):
    while len(triggerers(system)) < 2:
        system.lab.start_component("triggerer")
        system.wait_until("two triggerers", lambda: len(triggerers(system)) == 2)
    count = f"select count(*) from {TASK_INSTANCES} where dag_id = 'hundred' and state = 'deferred'"
    with system.held("veo_hundred"):
        run_id = system.start("hundred", "veo_hundred")
        system.wait_until("a hundred deferred tasks", lambda: system.sql(count)[0][0] == 100)
        for process in with_children(triggerers(system)[0]):
            os.kill(process.pid, signal.SIGKILL)
    assert system.until_over("hundred", run_id) == "success"
    report = system.gateways["veo_hundred"].jobs.report()
    assert (report["orders"], report["charged"], report["cancelled"]) == (100, 100, 0)


def test_the_key_is_in_no_file_and_in_no_request(system):
    """Search all files that the tests above have left. This test must be the last."""
    with system.held("veo_plain"):
        canary = system.start("deferred")
        system.until_deferred("deferred", canary)
        rows = system.sql("select kwargs from trigger")
    assert rows
    assert not [row for row in rows if canary in str(row)], "the prompt, which is the run's id, is in a trigger row"
    needle = KEY.encode()
    files = [path for path in system.lab.home.rglob("*") if path.is_file()]
    assert len([path for path in files if path.suffix == ".log"]) > 20
    assert [path for path in files if needle in path.read_bytes()] == []
    for gateway in system.gateways.values():
        assert not [line for line in gateway.jobs.requests if KEY in line]
