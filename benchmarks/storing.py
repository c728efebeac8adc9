"""The cost of a download for a worker, against `curl` and a command that hashes the file."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks import lookups, material
from benchmarks.processes import BenchmarkError, Lab, clean_environment, progress, run_python, serving
from benchmarks.report import Figure, Section, at_most, paragraph, spread, table

MB = 10**6
SIZE = 500 * MB
LIMIT = 1.4
OBJECT_LIMIT = 1.1
MEMORY_LIMIT = 64
TIMES = 3
_ROOM = 4  # files of this size: the video, the written file, and twice as much in reserve
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - temporary files belong there
_CURL = ("curl", "--disable", "--silent", "--show-error", "--fail")

HASHERS = {"sha256sum": ("sha256sum",), "openssl": ("openssl", "dgst", "-sha256", "-r")}
"""Commands that print the hash of a file first. The goals refer to the first command."""

JUDGE = next(iter(HASHERS))

NAMES = {
    "veo http": "veo, HTTP",
    "veo tls": "veo, TLS",
    "veo object": 'veo, HTTP, `ObjectStoragePath("file://…")`',
    "curl http": "`curl`, HTTP",
    "curl tls": "`curl`, TLS",
    "sha256sum": "`sha256sum`",
    "openssl": "`openssl dgst -sha256`",
}

Round = dict[str, "Cost"]


@dataclass(frozen=True)
class Cost:
    """The cost of one run.

    Attributes:
        cpu: CPU seconds, user and system together.
        seconds: Seconds of wall time.
        memory: Bytes by which the process has grown at its peak; 0 if this was not measured.
    """

    cpu: float
    seconds: float
    memory: int = 0


@dataclass(frozen=True)
class Place:
    """The files and servers of the measurement.

    Attributes:
        folder: Folder for all files.
        size: Size of the video, in bytes.
        sha256: SHA-256 of the video.
        certificate: File with the certificate of the TLS server.
        ports: Ports of the servers, by protocol.
        environment: Environment of the measured processes.
    """

    folder: Path
    size: int
    sha256: str
    certificate: Path
    ports: dict[str, int]
    environment: dict[str, str]

    def url(self, protocol: str) -> str:
        """Return the base URL of the API."""
        scheme = "https" if protocol == "tls" else "http"
        return f"{scheme}://127.0.0.1:{self.ports[protocol]}"


def run(lab: Lab) -> Section:
    """Measure all ways to download, round by round.

    Raises:
        BenchmarkError: A command is missing.
    """
    hashers = [name for name, command in HASHERS.items() if shutil.which(command[0])]
    if JUDGE not in hashers or not shutil.which("curl"):
        raise BenchmarkError(
            f"storing: This benchmark needs curl and {JUDGE}. Install both, or leave this part out (--only)."
        )
    size = SIZE // 10 if lab.quick else SIZE
    with _place(lab, size) as place:
        rounds = []
        for number in range(lab.rounds):
            progress(f"storing: round {number + 1} of {lab.rounds}, half a minute")
            rounds.append(_round(place, hashers, number))
    return Section(_figures(rounds, size), _lines(rounds, hashers, place))


@contextmanager
def _place(lab: Lab, size: int) -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="veo-storing-", dir=_folder(size)) as home:
        folder = Path(home)
        clip, video, certificate = folder / "clip.mp4", folder / "video.mp4", folder / "certificate.pem"
        material.make_clip(clip)
        material.make_large(clip, video, size)
        material.make_certificate(certificate)
        served = [f"warm-up={clip}", f"v={video}"]
        with serving(["-m", "benchmarks.content", "--certificate", str(certificate), *served]) as line:
            ports = dict(zip(("http", "tls"), map(int, line.split()), strict=True))
            place = Place(folder, size, _sha256(video), certificate, ports, lab.environment())
            place.environment.update(
                {
                    "TMPDIR": str(folder),
                    lookups.FILE: str(folder / "lookups"),
                    lookups.CONNECTIONS: json.dumps(_connections(place)),
                }
            )
            yield place


def _folder(size: int) -> Path:
    """Return a folder in memory if it has enough room, so that no disk is measured; else a temporary folder."""
    if os.access(_IN_MEMORY, os.W_OK):
        free = min(shutil.disk_usage(_IN_MEMORY).free, psutil.virtual_memory().available)
        if free >= _ROOM * size:
            return _IN_MEMORY
    return Path(tempfile.gettempdir())


def _connections(place: Place) -> dict[str, dict[str, Any]]:
    extra = {"verify": str(place.certificate)}
    return {
        f"veo_{protocol}": {"conn_type": "veo", "host": place.url(protocol), "password": "key", "extra": extra}
        for protocol in place.ports
    }


def _round(place: Place, hashers: Sequence[str], number: int) -> Round:
    """Measure each way once, in random order. The cheapest of several runs counts, because noise only adds cost."""
    parts: list[Callable[[], dict[str, list[Cost]]]] = [
        lambda: {"veo http": _ours(place, "http")},
        lambda: {"veo tls": _ours(place, "tls")},
        lambda: {"veo object": _ours(place, "http", "--object")},
        lambda: _theirs(place, "http", hashers),
        lambda: _theirs(place, "tls", ()),
    ]
    random.Random(number).shuffle(parts)
    found: dict[str, list[Cost]] = {}
    for part in parts:
        found |= part()
    return {name: min(costs, key=lambda cost: cost.cpu) for name, costs in found.items()}


def _ours(place: Place, protocol: str, *options: str) -> list[Cost]:
    command = ["-m", "benchmarks.download", "--connection", f"veo_{protocol}", "--folder", str(place.folder)]
    printed = run_python([*command, "--times", str(TIMES), *options], place.environment)
    runs = json.loads(printed.splitlines()[-1])
    for one in runs:
        _check(place, "the hook", one.pop("sha256"))
    return [Cost(**one) for one in runs]


def _theirs(place: Place, protocol: str, hashers: Sequence[str]) -> dict[str, list[Cost]]:
    file = place.folder / "curl.mp4"
    url = f"{place.url(protocol)}/v1/videos/v/content"
    command = [*_CURL, "--cacert", str(place.certificate), "--output", str(file), url]
    found: dict[str, list[Cost]] = {f"curl {protocol}": []} | {name: [] for name in hashers}
    for _ in range(TIMES):
        found[f"curl {protocol}"].append(_spent(command)[0])
        for name in hashers:
            cost, printed = _spent([*HASHERS[name], str(file)])
            _check(place, name, printed.split()[0])
            found[name].append(cost)
        file.unlink()
    return found


def _spent(command: Sequence[str]) -> tuple[Cost, str]:
    """Run a command, and return its cost and its standard output."""
    begun, before = time.monotonic(), _cpu_of_children()
    done = subprocess.run(
        command,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    cost = Cost(_cpu_of_children() - before, time.monotonic() - begun)
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return cost, done.stdout


def _cpu_of_children() -> float:
    """Return the CPU seconds of all child processes that have ended. The servers have not ended yet."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _sha256(file: Path) -> str:
    return _spent([*HASHERS[JUDGE], str(file)])[1].split()[0]


def _check(place: Place, who: str, sha256: str) -> None:
    if sha256 != place.sha256:
        raise BenchmarkError(f"storing: {who} returned the hash {sha256}, but the video has {place.sha256}.")


def _against(rounds: Sequence[Round], protocol: str, hasher: str) -> list[float]:
    """Return the CPU time of this provider divided by that of curl and the hash command, for each round."""
    return [one[f"veo {protocol}"].cpu / (one[f"curl {protocol}"].cpu + one[hasher].cpu) for one in rounds]


def _figures(rounds: Sequence[Round], size: int) -> list[Figure]:
    what = f"CPU of storing {size // MB} MB"
    memory = [one[name].memory / 2**20 for one in rounds for name in one if name.startswith("veo")]
    return [
        *(
            at_most(f"{what} over {protocol.upper()} against `curl` and `{JUDGE}`", LIMIT, values)
            for protocol in ("http", "tls")
            for values in [_against(rounds, protocol, JUDGE)]
        ),
        at_most(
            f"{what} through an `ObjectStoragePath` against a local path",
            OBJECT_LIMIT,
            [one["veo object"].cpu / one["veo http"].cpu for one in rounds],
        ),
        Figure(
            f"peak memory of storing {size // MB} MB, in any round",
            f"below {MEMORY_LIMIT} MB",
            f"{max(memory):.1f} MB",
            max(memory) < MEMORY_LIMIT,
        ),
    ]


def _lines(rounds: Sequence[Round], hashers: Sequence[str], place: Place) -> list[str]:
    against = [f"times `curl` and `{hasher}`" for hasher in hashers]
    head = ("way", "CPU s a GB", *against, "MB/s", "memory growth MB")
    gigabytes, megabytes = place.size / 10**9, place.size / MB
    rows = []
    for name in (name for name in NAMES if name in rounds[0]):
        costs = [one[name] for one in rounds]
        who, _, protocol = name.partition(" ")
        ratios = ["–"] * len(hashers)
        if who == "veo" and protocol in place.ports:
            ratios = [spread(_against(rounds, protocol, hasher), ".2f") for hasher in hashers]
        rows.append(
            (
                NAMES[name],
                spread([cost.cpu / gigabytes for cost in costs], ".2f"),
                *ratios,
                spread([megabytes / cost.seconds for cost in costs]),
                spread([cost.memory / 2**20 for cost in costs], ".1f") if who == "veo" else "–",
            )
        )
    return [
        "## Storing",
        "",
        *paragraph(
            f"A video of {place.size // MB} MB, from a server process on loopback into {_where(place)}. The video is a",
            "real clip, followed by a box of random bytes. `veo` is `VeoHook.download_video` in a process that has",
            "downloaded a small video before. It hashes while it writes. `curl` writes the same file, and a second",
            "command hashes it; the start of these two processes, some milliseconds, is part of their cost.",
            f"Each way runs {TIMES} times a round, in random order, and the cheapest run counts.",
            "The memory growth is the peak of the process during the download, minus its memory before.",
        ),
        "",
        *paragraph(
            f"The result depends on the hash command: {_versions(hashers)}. Some distributions have a `sha256sum` that",
            "uses the processor's instructions for SHA-256, some have not. `openssl` and Python use them.",
        ),
        "",
        *table(head, rows),
    ]


def _where(place: Place) -> str:
    return "memory (`/dev/shm`)" if _IN_MEMORY in place.folder.parents else "a file system"


def _versions(hashers: Sequence[str]) -> str:
    commands = {name: (HASHERS.get(name, (name,))[0], "--version") for name in ("curl", *hashers)}
    commands["openssl"] = ("openssl", "version")
    lines = [_spent(commands[name])[1].splitlines()[0] for name in ("curl", *hashers)]
    return ", ".join(re.split(r"(?<=\d) ", line)[0] for line in lines)
