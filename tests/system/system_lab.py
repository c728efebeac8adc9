"""The lab and its gateways, with the steps that tests share."""

from __future__ import annotations

import contextlib
import json
import sqlite3

from airflow_provider_veo.emulator.faults import Faults
from airflow_provider_veo.emulator.google_cloud import PROJECT, make_key
from airflow_provider_veo.emulator.jobs import Settings

KEY = "sk-canary-9d2e71"
GATEWAYS = {
    "veo_plain": Settings(api_key=KEY, generation_seconds=5),
    "veo_cancel": Settings(api_key=KEY, generation_seconds=5, can_cancel=True),
    "veo_idempotent": Settings(api_key=KEY, generation_seconds=2, honours_idempotency_key=True),
    "veo_storm": Settings(api_key=KEY, generation_seconds=5),
    "veo_hundred": Settings(api_key=KEY, generation_seconds=5, can_cancel=True),
    "veo_openrouter": Settings(api_key=KEY, generation_seconds=5, dialect="openrouter"),
    "veo_gemini": Settings(api_key=KEY, generation_seconds=5, dialect="gemini"),
    "veo_vertex": Settings(api_key=KEY, generation_seconds=5, dialect="vertex"),
}
FAULTS = {"veo_storm": Faults(share=0.3, seed=7, seconds=0.5)}
HEALTH_THRESHOLD = 12
TIMEOUT = 600.0  # seconds, for a machine that is busy with other work


def find_extra(gateway):
    """Return the extra fields of the connection to a gateway."""
    dialect = gateway.settings.dialect
    if dialect == "veo-gateway":
        return {"profile": dialect}
    if dialect == "vertex":
        return {"backend": dialect, "project": PROJECT, "keyfile_dict": json.dumps(make_key(gateway.url))}
    return {"backend": dialect}


class System:
    """The lab and its gateways, with the steps that tests share."""

    def __init__(self, lab, gateways):
        self.lab = lab
        self.gateways = gateways

    def start(self, dag_id, conn_id="veo_plain", **conf):
        return self.lab.trigger(dag_id, {"conn_id": conn_id, **conf})

    def state(self, dag_id, run_id):
        return self.lab.task_states(dag_id, run_id).get("create")

    def wait_until(self, what, condition):
        return self.lab.wait_until(what, condition, TIMEOUT)

    @contextlib.contextmanager
    def held(self, conn_id):
        """Keep all jobs of a gateway unfinished until the end of the block, even on a slow machine."""
        self.gateways[conn_id].jobs.hold()
        try:
            yield
        finally:
            self.gateways[conn_id].jobs.release()

    def until_deferred(self, dag_id, run_id):
        self.wait_until(f"{run_id} to be deferred", lambda: self.state(dag_id, run_id) == "deferred")

    def until_over(self, dag_id, run_id):
        over = ("success", "failed")
        return self.wait_until(f"{run_id} to end", lambda: (s := self.lab.run_state(dag_id, run_id)) in over and s)

    def jobs(self, conn_id, prompt):
        return [job for job in self.gateways[conn_id].jobs.all() if job.prompt == prompt]

    def charged(self, conn_id, prompt):
        """Wait until all jobs of a prompt are done, and return the number of charges."""

        def statuses():
            return [job.status(self.gateways[conn_id].jobs.clock()) for job in self.jobs(conn_id, prompt)]

        self.wait_until("jobs to be done", lambda: not {"queued", "processing"}.intersection(statuses()))
        return statuses().count("completed")

    def cancelled(self, conn_id, prompt):
        return sum(job.cancelled for job in self.jobs(conn_id, prompt))

    def all_logs(self, dag_id, run_id):
        """Return the end of a run's logs, for the message of an assertion."""
        task = self.log(dag_id, run_id)[-9000:]
        return "\n".join([task, "--- Airflow's own log", *self.airflow_says(run_id)[-30:]])

    def airflow_says(self, *words):
        """Return the lines of Airflow's own log that have all these words."""
        lines = self.lab.log.read_text(errors="replace").splitlines()
        return [line for line in lines if all(word in line for word in words)]

    def log(self, dag_id, run_id):
        """Return the log files of all tries, and of their triggers.

        The files are read, since the API has answered 404 on a busy machine.
        """
        folder = self.lab.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / "task_id=create"
        return "\n".join(f"--- {path.name}\n{path.read_text()}" for path in sorted(folder.glob("attempt=*")))

    def sql(self, query):
        connection = sqlite3.connect(f"file:{self.lab.home}/airflow.db?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()
