"""Video files of the emulator, which are rendered on demand."""

from __future__ import annotations

import asyncio
import tempfile
from functools import lru_cache
from pathlib import Path

from airflow_provider_veo.emulator.render import Scene, render


class Clips:
    """Renders each scene once, and keeps its file until this process ends."""

    def __init__(self) -> None:
        self._rendering: dict[str, asyncio.Task[None]] = {}

    async def render_file(self, scene: Scene) -> Path:
        """Return the path of the video file of a scene."""
        path = _folder() / f"{scene.key}.mp4"
        if not path.exists():
            # concurrent requests share one rendering, which continues if the first client disconnects
            if scene.key not in self._rendering:
                self._rendering[scene.key] = asyncio.create_task(asyncio.to_thread(render, scene, path))
                self._rendering[scene.key].add_done_callback(lambda _task: self._rendering.pop(scene.key))
            await asyncio.shield(self._rendering[scene.key])
        return path


def _folder() -> Path:
    """Return the folder of this process, which is removed when the process ends."""
    return Path(_temporary_directory().name)


@lru_cache(maxsize=1)
def _temporary_directory() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="veo-emulator-")
