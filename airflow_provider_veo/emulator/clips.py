"""The videos of the emulator, rendered when they are asked for."""

from __future__ import annotations

import asyncio
import tempfile
from functools import lru_cache
from pathlib import Path

from airflow_provider_veo.emulator.render import Scene, render


class Clips:
    """Renders each scene once, and keeps the file as long as this process lives."""

    def __init__(self) -> None:
        self._rendering: dict[str, asyncio.Task[None]] = {}

    async def file_of(self, scene: Scene) -> Path:
        """Return the video file that shows a scene."""
        path = _folder() / f"{scene.key}.mp4"
        if not path.exists():
            # one rendering for all who ask at the same time; it goes on when the one who asked first hangs up
            if scene.key not in self._rendering:
                self._rendering[scene.key] = asyncio.create_task(asyncio.to_thread(render, scene, path))
                self._rendering[scene.key].add_done_callback(lambda _task: self._rendering.pop(scene.key))
            await asyncio.shield(self._rendering[scene.key])
        return path


def _folder() -> Path:
    """Return the folder of this process, which goes when the process ends."""
    return Path(_temporary_directory().name)


@lru_cache(maxsize=1)
def _temporary_directory() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="veo-emulator-")
