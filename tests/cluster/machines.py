"""The machines of a distributed Airflow, with the steps that tests are made of."""

from __future__ import annotations

import time

from airflow_provider_veo.emulator.jobs import Settings

KEY = "sk-canary-7b1d40"
SLOTS = 3  # of each worker
WORKERS = tuple(f"celery worker --celery-hostname {name}@%h" for name in ("first", "second"))
SETTINGS = {
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(SLOTS),
    # a few tasks more than there are slots, so that workers find the next one in Redis
    "AIRFLOW__CORE__PARALLELISM": str(4 * SLOTS),
    # how soon a lost worker's tasks are taken up: those that it ran, and those that it had only accepted
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "180",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "10",
}
# what a lost triggerer's videos wait for, [triggerer] triggerer_health_check_threshold, is 30 seconds by default

HOUR = 3600.0
PATIENCE = 1200.0

# a gateway that real ones resemble; its videos may be small
GATEWAY = Settings(dialect="new-api", api_key=KEY, generation_seconds=HOUR, content_lag=HOUR)


class Cluster:
    """The machines of a distributed Airflow, with the steps that tests are made of.

    Attributes:
        lab: Airflow.
        gateway: the video API. A video takes an hour there, its content one more; they pass in `hours_later`.
        storage: the folder of the videos.
        triggerers: the first process of each triggerer, by its id in the database.
        workers: the first process of each worker.
    """

    def __init__(self, lab, gateway, sql, storage):
        self.lab = lab
        self.gateway = gateway
        self.storage = storage
        self._sql = sql
        [self._first_triggerer, *self.workers] = lab.leaders[-1 - len(WORKERS) :]

    def start_second_triggerer(self):
        # one after the other, so that their ids tell which is which
        second = self.lab.start_component("triggerer")
        query = "select id from job where job_type = 'TriggererJob' order by id"
        ids = self.until("two triggerers", lambda: len(found := self.sql(query)) == 2 and found)
        self.triggerers = dict(zip([number for (number,) in ids], [self._first_triggerer, second], strict=True))

    def sql(self, query):
        with self._sql.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    def states(self):
        """Count the task instances by state."""
        return dict(self.sql("select state, count(*) from task_instance group by state"))

    def waiting(self):
        """Count the videos that each triggerer waits for; None stands for nobody."""
        return dict(self.sql("select triggerer_id, count(*) from trigger group by triggerer_id"))

    def running_on(self, worker):
        """Return the indices of the tasks that a worker runs."""
        ours = {process.pid for process in self.lab.processes(worker)}
        rows = self.sql("select pid, map_index from task_instance where state = 'running'")
        return [index for pid, index in rows if pid in ours]

    def asked_for(self):
        """Return the videos whose content was asked for."""
        return {path for line in self.gateway.jobs.requests if (path := line.partition("?")[0]).endswith("/content")}

    def hours_later(self, hours):
        self.gateway.jobs.clock = lambda: time.time() + hours * HOUR

    def until(self, what, condition, timeout=PATIENCE):
        give_up_at = time.monotonic() + timeout
        while not (value := condition()):
            assert time.monotonic() < give_up_at, f"waited {timeout} s for {what}: {self.story()}"
            time.sleep(1)
        return value

    def story(self):
        """Return where things stand, for the message of an assertion."""
        return f"{self.states()}, {self.waiting()}, {self.gateway.jobs.report()}\n{self.lab.log_tail()}"
