"""Measure how much memory a line of Python takes at its peak, in a separate process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_PROGRAM = """
import sys, threading
sys.path.insert(0, {root!r})

def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1024

{prepare}
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak begins anew
before = status("VmRSS")
try:
    {work}
    print("done")
except Exception as error:
    print(f"{{type(error).__name__}}: {{error}}")
print(status("VmHWM") - before)
"""


def measure_memory_growth(prepare: str, work: str) -> tuple[str, float]:
    """Run a line of Python in a new process.

    Args:
        prepare: Lines of Python that run before. Their memory does not count.
        work: One line of Python.

    Returns:
        The last line that the process printed, and the growth of the process at its peak in MB.
    """
    program = _PROGRAM.format(root=str(ROOT), prepare=prepare, work=work)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    *said, growth = ran.stdout.splitlines()
    return said[-1], float(growth)
