"""Download one video with the hook some times, in a new process. The last printed line is the result."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import psutil
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo.hooks.veo import VeoHook

_STATUS = Path("/proc/self/status")
_FORGET_PEAK = "5"


def main() -> None:
    """Download a small video, so that everything is imported and compiled, then the large one some times."""
    arguments = _arguments()
    hook = VeoHook(arguments.connection)

    def download(video_id: str) -> tuple[Path, str]:
        path = Path(arguments.folder, f"veo-{video_id}.mp4")
        destination = ObjectStoragePath(path.as_uri()) if arguments.object else path
        return path, hook.download_video(destination, video_id=video_id, if_exists="overwrite").sha256

    path, _ = download("warm-up")
    path.unlink()
    runs = []
    for _ in range(arguments.times):
        Path("/proc/self/clear_refs").write_text(_FORGET_PEAK)
        memory = psutil.Process().memory_info().rss
        begun, cpu = time.monotonic(), time.process_time()
        path, digest = download("v")
        cpu, seconds, memory = time.process_time() - cpu, time.monotonic() - begun, _peak() - memory
        runs.append({"cpu": cpu, "seconds": seconds, "memory": memory, "sha256": digest})
        path.unlink()
    print(json.dumps(runs))


def _peak() -> int:
    """Return the peak of the memory since its last reset, in bytes."""
    [line] = [line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:")]
    return 1024 * int(line.split()[1])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connection", required=True, help="ID of the Airflow connection")
    parser.add_argument("--folder", required=True, help="folder for the files")
    parser.add_argument("--object", action="store_true", help="pass the destination as an ObjectStoragePath")
    parser.add_argument("--times", type=int, required=True, help="number of downloads of the large video")
    return parser.parse_args()


if __name__ == "__main__":
    main()
