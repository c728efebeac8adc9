"""The lab and its gateways, with the steps that tests are made of."""

from __future__ import annotations

import contextlib
import sqlite3
import time

from airflow_provider_veo.emulator.faults import Faults
from airflow_provider_veo.emulator.jobs import Settings

KEY = "sk-canary-9d2e71"
GATEWAYS = {
    "veo_plain": Settings(api_key=KEY, generation_seconds=15),
    "veo_cancel": Settings(api_key=KEY, generation_seconds=15, can_cancel=True),
    "veo_idempotent": Settings(api_key=KEY, generation_seconds=2, honours_idempotency_key=True),
    "veo_storm": Settings(api_key=KEY, generation_seconds=5),
    "veo_slow": Settings(api_key=KEY, generation_seconds=60, can_cancel=True),
    "veo_slower": Settings(api_key=KEY, generation_seconds=150, can_cancel=True),
}
FAULTS = {"veo_storm": Faults(share=0.3, seed=7, seconds=0.5)}
HEALTH_THRESHOLD = 12


class System:
    """The lab and its gateways, with the steps that tests are made of."""

    def __init__(self, lab, gateways):
        self.lab = lab
        self.gateways = gateways

    def start(self, dag_id, conn_id="veo_plain", **conf):
        return self.lab.trigger(dag_id, {"conn_id": conn_id, **conf})

    def state(self, dag_id, run_id):
        return self.lab.task_states(dag_id, run_id).get("create")

    def until(self, what, condition, timeout=180):
        give_up_at = time.monotonic() + timeout
        while not (value := condition()):
            assert time.monotonic() < give_up_at, f"waited {timeout} s for {what}; {self.lab.log_tail(5)}"
            time.sleep(0.3)
        return value

    def until_deferred(self, dag_id, run_id):
        self.until(f"{run_id} to be deferred", lambda: self.state(dag_id, run_id) == "deferred")

    def until_over(self, dag_id, run_id, timeout=240):
        over = ("success", "failed")
        return self.until(f"{run_id} to end", lambda: (s := self.lab.run_state(dag_id, run_id)) in over and s, timeout)

    def jobs(self, conn_id, prompt):
        return [job for job in self.gateways[conn_id].jobs.all() if job.prompt == prompt]

    def charged(self, conn_id, prompt):
        """Count the charges for a prompt when all its jobs are done."""

        def done():
            return all(job.status(time.time()) not in ("queued", "processing") for job in self.jobs(conn_id, prompt))

        self.until("jobs to be done", done)
        return sum(job.status(time.time()) == "completed" for job in self.jobs(conn_id, prompt))

    def cancelled(self, conn_id, prompt):
        return sum(job.cancelled for job in self.jobs(conn_id, prompt))

    def all_logs(self, dag_id, run_id):
        """Return the end of the log of each try, for the message of an assertion."""
        tries = []
        for try_number in range(1, 8):
            with contextlib.suppress(Exception):
                tries.append(f"--- try {try_number}\n{self.log(dag_id, run_id, try_number)[-3000:]}")
        airflow = [line for line in self.lab.log.read_text(errors="replace").splitlines() if run_id in line]
        return "\n".join([*tries, "--- Airflow's own log", *airflow[-30:]])

    def log(self, dag_id, run_id, try_number=1):
        return "\n".join(self.lab.log_lines(dag_id, run_id, "create", try_number))

    def sql(self, query):
        connection = sqlite3.connect(f"file:{self.lab.home}/airflow.db?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()
