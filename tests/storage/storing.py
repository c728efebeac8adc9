"""A program that stores videos by the hook, one after the other.

The last line that it prints describes the last video, in JSON. `growth` is the peak memory in bytes that the videos
after the first one needed in addition. The first video causes all imports and connections.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from airflow_provider_veo.hooks.veo import VeoHook

_FORGET_PEAK = "5"


def main() -> None:
    arguments = _arguments()
    *before, last = arguments.video_ids
    memory = 0
    for position, video_id in enumerate(before):
        VeoHook().download_video(arguments.destination, video_id=video_id)
        if position == 0:
            Path("/proc/self/clear_refs").write_text(_FORGET_PEAK)
            memory = _status("VmRSS")
    stored = VeoHook().download_video(arguments.destination, video_id=last, if_exists=arguments.if_exists)
    outcome = {"bytes": stored.bytes, "sha256": stored.sha256, "growth": _status("VmHWM") - memory}
    print(json.dumps(outcome))  # noqa: T201 - this is a program


def _status(name: str) -> int:
    """Return a size of this process, in bytes.

    `VmHWM` is the peak since its last reset. `getrusage` does not help: it reports the peak of the parent process if
    that was larger when this process started.
    """
    [size] = re.findall(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(size) * 1024


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("destination")
    parser.add_argument("video_ids", nargs="+", metavar="video_id")
    parser.add_argument("--if-exists", default="skip", help="what to do if the object of the last video exists already")
    return parser.parse_args()


if __name__ == "__main__":
    main()
