"""The CPU time that importing the operators adds to each parsing of a Dag file and to each start of a task."""

from __future__ import annotations

from benchmarks.processes import Lab, progress, run_python
from benchmarks.report import Section, at_most, ratios, spread, table

LIMIT = 1 / 5
MODULES = {
    "veo": "airflow_provider_veo.operators.create",
    "openai_provider": "airflow.providers.openai.operators.openai",
    "http_provider": "airflow.providers.http.operators.http",
}

_CODE = """
import sys, time
import airflow.sdk
from airflow.sdk import BaseHook, BaseOperator
before = len(sys.modules), time.process_time()
import {module}
print(1000 * (time.process_time() - before[1]), len(sys.modules) - before[0])
"""


def run(lab: Lab) -> Section:
    """Import each module in fresh processes, in turn."""
    environment = lab.environment()
    for module in MODULES.values():
        run_python(["-c", _CODE.format(module=module)], environment)  # writes the compiled files
    rounds: list[dict[str, float]] = []
    modules: dict[str, str] = {}
    for _ in range(lab.rounds):
        one = {}
        for peer, module in MODULES.items():
            milliseconds, modules[peer] = run_python(["-c", _CODE.format(module=module)], environment).split()[-2:]
            one[peer] = float(milliseconds)
        rounds.append(one)
    progress("imports: done")
    figure = at_most(
        "import of the operators after `airflow.sdk`, against that of the openai provider",
        LIMIT,
        ratios(rounds, "veo", "openai_provider"),
    )
    rows = [(f"`{module}`", spread([one[peer] for one in rounds]), modules[peer]) for peer, module in MODULES.items()]
    lines = [
        "## An import",
        "",
        "CPU time in a new process after `from airflow.sdk import BaseHook, BaseOperator`, with compiled files.",
        "",
        *table(("module", "CPU ms", "modules loaded"), rows),
    ]
    return Section([figure], lines)
