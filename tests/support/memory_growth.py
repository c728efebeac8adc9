"""How much memory a piece of work takes at its peak, measured in a process of its own."""

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


def measure_memory_growth(prepare, work):
    """Return what a piece of work said, and by how many MB the process has grown at its peak.

    Args:
        prepare: lines of Python that come before; their memory does not count.
        work: one line of Python.
    """
    program = _PROGRAM.format(root=str(ROOT), prepare=prepare, work=work)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    *said, growth = ran.stdout.splitlines()
    return said[-1], float(growth)
