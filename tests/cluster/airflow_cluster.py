"""A distributed Airflow, all on this machine, with the steps that tests share."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import psycopg2

from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from dev.airflow_lab import AirflowLab
from dev.waiting import wait_until
from tests.cluster.services import PostgreSQL, Redis
from tests.support.airflow_version import TASK_INSTANCES

VIDEOS = 300
KEY = "sk-canary-7b1d40"
SLOTS = 3  # for each worker
WORKERS = tuple(f"celery worker --celery-hostname {name}@%h" for name in ("first", "second"))
CORE = ("api-server", "scheduler", "dag-processor", "triggerer")
SETTINGS = {
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(SLOTS),
    # a few tasks more than there are slots, so that workers find the next one in Redis
    "AIRFLOW__CORE__PARALLELISM": str(4 * SLOTS),
    # seconds until other workers get the tasks of a lost worker: those that it ran, and those that it had only accepted
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "180",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "10",
}
DAGS = Path(__file__).parent / "dags"
HOUR = 3600.0
TIMEOUT = 1800.0  # seconds, for a machine that is busy with other work

# many real gateways run new-api, and its videos may be small
GATEWAY = Settings(dialect="new-api", api_key=KEY, generation_seconds=HOUR, content_lag=HOUR)


class Cluster:
    """Airflow on PostgreSQL, in separate processes.

    Attributes:
        lab: The running Airflow.
        triggerers: First process of each triggerer, by its id in the database.
    """

    def __init__(self, lab, sql):
        self.lab = lab
        self._sql = sql
        self.triggerers = {}
        self._newest = 0
        self._note_triggerer(lab.leaders[CORE.index("triggerer")])

    def start_triggerer(self):
        """Start another triggerer and wait for it, since the ids of two new ones could not be distinguished."""
        self._note_triggerer(self.lab.start_component("triggerer"))

    def _note_triggerer(self, leader):
        query = f"select id from job where job_type = 'TriggererJob' and id > {self._newest}"
        [(self._newest,)] = self.wait_until("the triggerer", lambda: self.sql(query))
        self.triggerers[self._newest] = leader

    def sql(self, query):
        with self._sql.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    def run_state(self):
        """Return the state of the only Dag run."""
        [(state,)] = self.sql("select state from dag_run")
        return state

    def states(self):
        """Count the task instances by state."""
        return dict(self.sql(f"select state, count(*) from {TASK_INSTANCES} group by state"))

    def waiting(self):
        """Count the videos by the triggerer that waits for them; the key None counts those without one."""
        return dict(self.sql("select triggerer_id, count(*) from trigger group by triggerer_id"))

    def lose_triggerer(self):
        """Kill the triggerer with most videos, wait until others have taken these over, and return their number."""
        waiting = {number: count for number, count in self.waiting().items() if number}
        lost = max(waiting, key=waiting.get)
        self.lab.kill(self.triggerers.pop(lost))
        self.wait_until("the other triggerer", lambda: lost not in self.waiting())
        return waiting[lost]

    def wait_until(self, what, condition, pause=1.0):
        return wait_until(what, condition, TIMEOUT, pause=pause, details=self.story)

    def story(self):
        """Return the present state, for the message of an assertion."""
        return f"{self.states()}, {self.waiting()}\n{self.lab.log_tail()}"


class VideoCluster(Cluster):
    """Airflow with CeleryExecutor, and a gateway.

    Attributes:
        gateway: The video API. A job takes an hour there, its content one more; `hours_later` skips this time.
        storage: Folder of the videos.
        workers: First process of each worker.
    """

    def __init__(self, lab, sql, gateway, storage):
        super().__init__(lab, sql)
        self.gateway = gateway
        self.storage = storage
        self.workers = lab.leaders[len(CORE) : len(CORE) + len(WORKERS)]

    def hours_later(self, hours):
        self.gateway.jobs.clock = lambda: time.time() + hours * HOUR

    def asked_for(self):
        """Return the paths of the content that was requested."""
        return {path for line in self.gateway.jobs.requests if (path := line.partition("?")[0]).endswith("/content")}

    def lose_worker(self):
        """Kill a worker, and return the indices of the tasks that it ran."""
        worker = self.workers.pop()
        pids = {process.pid for process in self.lab.processes(worker)}
        rows = self.sql(f"select pid, map_index from {TASK_INSTANCES} where state = 'running'")
        self.lab.kill(worker)
        return [index for pid, index in rows if pid in pids]

    def story(self):
        return f"{self.gateway.jobs.report()}, {super().story()}"


@contextlib.contextmanager
def airflow_on_postgresql(dags, settings, connections=None, components=CORE):
    """Run PostgreSQL and an Airflow on it; yield the Airflow and a connection to the database."""
    with PostgreSQL() as database:
        on_database = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.url, **settings}
        with (
            AirflowLab(dags, connections or {}, on_database, components=components) as lab,
            contextlib.closing(psycopg2.connect(database.dsn)) as sql,
        ):
            sql.autocommit = True
            yield lab, sql


@contextlib.contextmanager
def video_cluster(storage, more_connections=None, more_settings=None):
    """Run PostgreSQL, Redis, a gateway, and an Airflow with two workers and two triggerers."""
    with EmulatorServer(GATEWAY) as gateway, Redis() as broker:
        settings = SETTINGS | {"AIRFLOW__CELERY__BROKER_URL": broker.url, "AIRFLOW__VEO__STORAGE": str(storage)}
        settings |= more_settings or {}
        connections = {"veo_default": {"conn_type": "veo", "host": gateway.url, "password": KEY}}
        connections |= more_connections or {}
        with airflow_on_postgresql(DAGS, settings, connections, (*CORE, *WORKERS)) as (lab, sql):
            cluster = VideoCluster(lab, sql, gateway, storage)
            cluster.start_triggerer()
            yield cluster
