"""A real, temporary Airflow on free ports, which leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import pendulum
import psutil

from dev.server_process import free_ports, is_answering
from dev.waiting import wait_until

if TYPE_CHECKING:
    from typing_extensions import Self

START_TIMEOUT = 300.0
_THINKING = pendulum.duration(seconds=3)
_HEALTH_CHECK_PAUSE = 10.0
_COMMAND_TIMEOUT = 300.0
_SCHEDULER_ENDS = "Exception when executing SchedulerJob"
_WORKER_TITLE = "LocalExecutor: "
COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


T = TypeVar("T")


class LabError(Exception):
    """A step failed. The message names the step, and says where to look."""


class AirflowLab:
    """An Airflow with the Dags of a folder: `with AirflowLab(...) as lab: lab.trigger(...)`.

    Args:
        dags: Folder of the Dags.
        connections: Connections by id, each a dictionary as in the JSON of `AIRFLOW_CONN_...`.
        settings: Further environment variables.
        login: Name and password. Needed if the settings do not make every user an administrator.
        components: Components to start, as after `airflow` on the command line. Without `standalone`, the settings must
            name a database that all components can use.
        python: Python of the environment whose Airflow is started; by default the one that runs now.
        home: AIRFLOW_HOME of an Airflow that was left with `keep`, whose database is to be continued; by default a new
            folder.
        keep: Whether `home` remains when this Airflow ends, for another one.

    Attributes:
        leaders: First process of each component, in the order of their start.
    """

    def __init__(
        self,
        dags: Path,
        connections: Mapping[str, Mapping[str, Any]],
        settings: Mapping[str, str],
        login: tuple[str, str] | None = None,
        components: Sequence[str] = ("standalone",),
        *,
        python: str = sys.executable,
        home: Path | None = None,
        keep: bool = False,
    ) -> None:
        self._login = login
        self._components = components
        self._python = python
        self._keep = keep
        self.home = home or Path(tempfile.mkdtemp(prefix="veo-airflow-"))
        self.leaders: list[subprocess.Popen[bytes]] = []
        self._checked_at = 0.0
        self._ends_of_schedulers = 0
        self.log = self.home / "airflow.log"
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        # variables of this machine for another Airflow must not reach this one
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        self.environment = inherited | {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags.resolve()),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            # SQLite is locked now and then; tasks set their own retries where the number matters
            "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "2",
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "2",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            # on a busy machine, Airflow would lose tries before their first line, and the scheduler would end by itself
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db?timeout=60",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "PATH": f"{Path(python).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection) for name, connection in connections.items()},
            **settings,
        }

    def __enter__(self) -> Self:
        try:
            self._migrate_database()
            for name in self._components:
                self.start_component(name)
            self._http = httpx.Client(base_url=self.url, timeout=120, trust_env=False)
            self._wait_until("Airflow to be healthy", self._healthy)
            self._http.headers["Authorization"] = f"Bearer {self.token(self._login)}"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # the scheduler never ends by itself once `standalone`, which reads its output, has ended
        for scheduler in self.schedulers():
            with contextlib.suppress(psutil.Error):
                _kill([scheduler, *scheduler.children(recursive=True)])
        # components replace children that end, so all processes are stopped at once, twice
        for stop in (psutil.Process.terminate, psutil.Process.kill):
            running = self.processes()
            for process in running:
                with contextlib.suppress(psutil.NoSuchProcess):
                    stop(process)
            psutil.wait_procs(running, timeout=20)
        for leader in self.leaders:
            leader.wait(timeout=20)
        if not self._keep:
            shutil.rmtree(self.home, ignore_errors=True)

    def start_api_server(self, settings: Mapping[str, str], path: str = "") -> str:
        """Start another API server with additional settings, and return its address, which ends in the path."""
        (port,) = free_ports(1)
        url = f"http://127.0.0.1:{port}{path}"
        self.start_component("api-server", {"AIRFLOW__API__PORT": str(port), "AIRFLOW__API__BASE_URL": url, **settings})
        self._wait_until("the API server", lambda: is_answering(f"{url}/api/v2/version"))
        return url

    def start_component(self, name: str, settings: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a component of this Airflow, for example a second triggerer, and return its first process."""
        worker_logs, trigger_logs = free_ports(2)
        ports = {
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
        }
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [self._python, "-m", "airflow", *name.split()],
                env=self.environment | ports | dict(settings or {}),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # only this process handles Ctrl-C
            )
        self.leaders.append(process)
        return process

    def kill(self, component: subprocess.Popen[bytes]) -> None:
        """Kill a component and all its children by SIGKILL, as if their machine were lost."""
        _kill(self.processes(component))

    def token(self, login: tuple[str, str] | None) -> str:
        """Log in, and return the token for requests.

        Args:
            login: Name and password; None if every user is an administrator.
        """
        if login is None:
            answer = self._http.get("/auth/token")
        else:
            answer = self._http.post("/auth/token", json={"username": login[0], "password": login[1]})
        return str(answer.raise_for_status().json()["access_token"])

    def processes(self, *components: subprocess.Popen[bytes]) -> list[psutil.Process]:
        """Return all processes of some components, by default of all: those of the sessions that they lead."""
        sessions = {leader.pid for leader in components or self.leaders}
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def schedulers(self) -> list[psutil.Process]:
        """Return the processes of schedulers, without their children."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if process.cmdline()[-1:] == ["scheduler"]:
                    found.append(process)
        return found

    def task_processes(self) -> list[psutil.Process]:
        """Return the processes that run a task now: the children of the executor's workers."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                parent = process.parent()
                if parent and _WORKER_TITLE in " ".join(parent.cmdline()):
                    found.append(process)
        return found

    def get(self, path: str) -> Any:
        """Return the JSON answer to a GET below `/api/v2`."""
        return self.request("GET", path)

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send a request below `/api/v2`. Repeat it while Airflow answers 500, as it does while SQLite is locked."""
        for _ in range(10):
            answer = self._http.request(method, f"/api/v2{path}", json=body)
            if answer.status_code != 500:
                break
            time.sleep(0.5)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def trigger(
        self, dag_id: str, conf: Mapping[str, Any] | None = None, logical_date: pendulum.DateTime | None = None
    ) -> str:
        """Start a Dag run through the scheduler and return its id."""
        self.unpause(dag_id)
        body = {"logical_date": logical_date and logical_date.isoformat(), "conf": dict(conf or {})}

        def start() -> str | None:
            try:
                return str(self.request("POST", f"/dags/{dag_id}/dagRuns", body)["dag_run_id"])
            except httpx.HTTPStatusError as error:
                if error.response.status_code != httpx.codes.NOT_FOUND:
                    raise
                return None  # the serialized Dag, which Airflow writes last, is not there yet

        return str(self._wait_until(f"a run of {dag_id} to be accepted", start))

    def delete_run(self, dag_id: str, run_id: str) -> None:
        """Delete a Dag run with all its data in Airflow."""
        self._http.delete(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}").raise_for_status()

    def unpause(self, dag_id: str) -> None:
        """Wait until a Dag is parsed, and unpause it."""
        self._wait_until(f"Dag {dag_id} to be parsed", lambda: self._is_parsed(dag_id))
        self.request("PATCH", f"/dags/{dag_id}", {"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Pause a Dag, so that the scheduler starts none of its tasks."""
        self.request("PATCH", f"/dags/{dag_id}", {"is_paused": True})

    def clear(self, dag_id: str, run_id: str, task_id: str, **options: Any) -> None:
        """Clear the task by Airflow's REST API.

        Args:
            dag_id: ID of the Dag.
            run_id: ID of the Dag run.
            task_id: ID of the task. All its passes and mapped task instances are cleared.
            options: Further fields of the body. One that is None is left out.
        """
        body = {"dry_run": False, "only_failed": False, "dag_run_id": run_id, "task_ids": [task_id], **options}
        sent = {name: value for name, value in body.items() if value is not None}
        self.request("POST", f"/dags/{dag_id}/clearTaskInstances", sent)

    def clear_in_dialog(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        *,
        keep_task_state: bool = False,
        downstream: bool = True,
        prevent_rerun: bool = True,
        pass_index: int | None = None,
    ) -> None:
        """Clear the task by the request of the dialog in Airflow's UI, by default with the options that it opens with.

        Args:
            dag_id: ID of the Dag.
            run_id: ID of the Dag run.
            task_id: ID of the task. All its mapped task instances are cleared.
            keep_task_state: Whether "Keep task state and resume" is ticked (Airflow 3.4 and later).
            downstream: Whether "Downstream" is selected.
            prevent_rerun: Whether "Prevent rerun if task is running" is ticked. If it is and the task is running, the
                answer is 409.
            pass_index: Number of the pass whose task is cleared; None outside of loops.
        """
        options: dict[str, Any] = {
            "include_downstream": downstream,
            "include_upstream": False,
            "run_on_latest_version": False,
            # the dialog leaves out the fields of boxes that are not ticked
            "keep_task_state": keep_task_state or None,
            "prevent_running_task": prevent_rerun or None,
        }
        if pass_index is None:
            options |= {"include_future": False, "include_past": False}
        else:
            ids = [one["id"] for one in self.task_instances(dag_id, run_id, task_id, pass_index)]
            options |= {"task_ids": None, "task_instance_ids": ids, "include_later_loop_iterations": True}
        self.clear(dag_id, run_id, task_id, **options)

    def clear_run(self, dag_id: str, run_id: str) -> None:
        """Clear the Dag run by Airflow's REST API. The UI's button for the run sends the same."""
        self.request("POST", f"/dags/{dag_id}/dagRuns/{run_id}/clear", {"dry_run": False, "only_failed": False})

    def clear_by_command(self, dag_id: str, task_id: str, first: pendulum.DateTime, last: pendulum.DateTime) -> None:
        """Clear the tasks by `airflow tasks clear`, in the Dag runs whose logical dates are not outside of two dates.

        Args:
            dag_id: ID of the Dag.
            task_id: Part of the IDs of the tasks; the command takes it as it is, not as a pattern.
            first: First logical date.
            last: Last logical date.
        """
        dates = ("--start-date", first.isoformat(), "--end-date", last.isoformat())
        self.command("tasks", "clear", "--yes", "--task-regex", task_id, *dates, dag_id)

    def command(self, *words: str) -> None:
        """Run a command of Airflow's own, and wait for its end.

        Raises:
            LabError: The command failed. The message ends with its output.
        """
        done = subprocess.run(
            [self._python, "-m", "airflow", *words],
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_TIMEOUT,
            check=False,
        )
        if done.returncode:
            raise LabError(f"airflow {' '.join(words)} failed:\n{(done.stdout + done.stderr)[-3000:]}")

    def run_ids(self, dag_id: str) -> list[str]:
        """Return the ids of a Dag's runs."""
        return [run["dag_run_id"] for run in self.get(f"/dags/{dag_id}/dagRuns")["dag_runs"]]

    def open_questions(self, dag_id: str, run_id: str) -> list[str]:
        """Return the tasks of a run that have been waiting for a person for a while.

        An answer directly after the question fails the task, since the scheduler has not yet noticed that it waits.
        """
        details = self.get(f"/dags/{dag_id}/dagRuns/{run_id}/hitlDetails?response_received=false")["hitl_details"]
        asked_before = pendulum.now() - _THINKING
        return [
            detail["task_instance"]["task_id"]
            for detail in details
            if pendulum.parse(detail["created_at"]) < asked_before
        ]

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str, pass_index: int | None = None) -> None:
        """Answer the question of a task, as a person does under "Required Actions"."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        query = self._query(dag_id, run_id, task_id, -1, pass_index)
        self.request("PATCH", f"{path}?{query}", {"chosen_options": [option]})

    def task_instances(
        self, dag_id: str, run_id: str, task_id: str | None = None, pass_index: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the task instances of a run as Airflow's API shows them.

        Args:
            dag_id: ID of the Dag.
            run_id: ID of the Dag run.
            task_id: ID of the task; None means all tasks.
            pass_index: Number of the pass of a loop; None means all passes.
        """
        found = self.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=1000")["task_instances"]
        return [
            one for one in found if task_id in (None, one["task_id"]) and pass_index in (None, read_pass_index(one))
        ]

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Return the state of each task instance of a run; mapped ones are called `task_id[index]`.

        In a loop, the number of the pass follows: `task_id pass 1`.
        """
        return {_name(instance): instance["state"] for instance in self.task_instances(dag_id, run_id)}

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run."""
        return str(self.get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def result(
        self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", pass_index: int | None = None
    ) -> Any:
        """Return the result of a task, or another one of its XComs."""
        value = self.xcom(dag_id, run_id, task_id, key, pass_index=pass_index)
        return json.loads(value) if isinstance(value, str) else value

    def xcom(
        self, dag_id: str, run_id: str, task_id: str, key: str, map_index: int = -1, pass_index: int | None = None
    ) -> Any:
        """Return an XCom as Airflow's API shows it."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.get(f"{path}?{self._query(dag_id, run_id, task_id, map_index, pass_index)}")["value"]

    def log_lines(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        try_number: int = 1,
        map_index: int = -1,
        pass_index: int | None = None,
    ) -> list[str]:
        """Return the messages of a task's log, as the UI shows them."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        query = self._query(dag_id, run_id, task_id, map_index, pass_index)
        content = self.get(f"{path}?full_content=true&{query}")["content"]
        return [_text(line) for line in content]

    def _query(self, dag_id: str, run_id: str, task_id: str, map_index: int, pass_index: int | None) -> str:
        """Return the part of a query that names a task instance. In a loop, only its region does."""
        if pass_index is None:
            return f"map_index={map_index}"
        found = self.task_instances(dag_id, run_id, task_id, pass_index)
        [region] = {(one["region_id"], one["region_index"]) for one in found if one["map_index"] == map_index}
        return f"region_id={region[0]}&region_index={region[1]}"

    def wait_until(self, what: str, condition: Callable[[], T], timeout: float) -> T:
        """Wait as `dev.waiting.wait_until` does, and start the scheduler anew if it ends meanwhile."""

        def checked() -> T:
            self._keep_the_scheduler()
            return condition()

        return wait_until(what, checked, timeout, details=lambda: self.log_tail(5))

    def _keep_the_scheduler(self) -> None:
        """Start the scheduler anew if it has ended by itself, as that of Airflow 3.4 does when SQLite is locked."""
        if time.monotonic() < self._checked_at + _HEALTH_CHECK_PAUSE:
            return
        self._checked_at = time.monotonic()
        with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
            health = self._http.get("/api/v2/monitor/health").raise_for_status().json()["scheduler"]
            if health["status"] == "healthy":
                return
            # a scheduler that only is busy is unhealthy, too; one that ends waits for its tasks first
            ends = self.log.read_text(errors="replace").count(_SCHEDULER_ENDS)
            if self.schedulers() and ends == self._ends_of_schedulers:
                return
            self._ends_of_schedulers = ends
            with self.log.open("a") as log:
                log.write("The scheduler has ended by itself; the reason stands above. The lab starts it anew.\n")
            self.start_component("scheduler")

    def _is_parsed(self, dag_id: str) -> bool:
        errors = self.get("/importErrors")["import_errors"]
        if errors:
            raise LabError(f"A Dag file cannot be imported:\n{errors[0]['stack_trace']}")
        return self._http.get(f"/api/v2/dags/{dag_id}").is_success

    def _migrate_database(self) -> None:
        if "standalone" not in self._components and self.start_component("db migrate").wait():
            raise LabError(f"airflow db migrate failed:\n{self.log_tail()}")
        self.leaders.clear()

    def _healthy(self) -> bool:
        for leader in self.leaders:
            if leader.poll() is not None:
                raise LabError(f"{' '.join(map(str, leader.args[1:]))} ended by itself:\n{self.log_tail()}")
        with contextlib.suppress(httpx.HTTPError, ValueError):
            health = self._http.get("/api/v2/monitor/health").json()
            return all((health.get(name) or {}).get("status") == "healthy" for name in COMPONENTS)
        return False

    def log_tail(self, lines: int = 25) -> str:
        """Return the end of Airflow's own log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _wait_until(self, what: str, condition: Callable[[], T]) -> T:
        try:
            return wait_until(what, condition, START_TIMEOUT, pause=0.5, details=self._describe_log)
        except TimeoutError as error:
            raise LabError(str(error)) from None

    def _describe_log(self) -> str:
        return f"Airflow's log ends:\n{self.log_tail()}"


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _text(line: Any) -> str:
    """Return a log line's message, with the errors that the UI shows below it."""
    if not isinstance(line, dict):
        return str(line)
    errors = [f"{error.get('exc_type')}: {error.get('exc_value')}" for error in line.get("error_detail") or ()]
    return "\n".join([str(line.get("event", "")), *errors])


def read_pass_index(instance: Mapping[str, Any]) -> int | None:
    """Return the number of the pass that a task instance of Airflow's API belongs to; None outside of loops."""
    iteration = instance.get("loop_iteration")  # Airflow 3.4 and later
    return None if iteration is None else int(iteration["iteration"])


def _name(instance: Mapping[str, Any]) -> str:
    index, pass_index = instance["map_index"], read_pass_index(instance)
    mapped = "" if index < 0 else f"[{index}]"
    return instance["task_id"] + mapped + ("" if pass_index is None else f" pass {pass_index}")
