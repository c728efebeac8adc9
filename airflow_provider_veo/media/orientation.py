"""How a player turns and mirrors a picture."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame

from airflow_provider_veo.media.filters import Step

_MATRIX = struct.Struct("=9i")


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a picture on a screen. Other angles count as the nearest right one.

    Attributes:
        is_turned: rows become columns, first.
        is_mirrored: left and right change places, then.
        is_flipped: top and bottom change places.
    """

    is_turned: bool = False
    is_mirrored: bool = False
    is_flipped: bool = False

    @classmethod
    def of(cls, matrix: bytes) -> Orientation:
        """Return what a display matrix says (ISO/IEC 14496-12, 6.2.2); an empty one says nothing."""
        if len(matrix) != _MATRIX.size:
            return cls()
        # a point (x, y) goes to (a x + c y, b x + d y)
        a, b, _, c, d, *_ = _MATRIX.unpack(matrix)
        if abs(b) > abs(a):
            return cls(True, c < 0, b < 0)
        return cls(False, a < 0, d < 0)

    @property
    def steps(self) -> list[Step]:
        """The filters that show a picture so."""
        every = (
            (self.is_turned, ("transpose", "cclock_flip")),
            (self.is_mirrored, ("hflip", "")),
            (self.is_flipped, ("vflip", "")),
        )
        return [step for is_needed, step in every if is_needed]


def matrix_of(frame: VideoFrame) -> bytes:
    """Return the display matrix of a frame, or nothing where it has none."""
    beside: Any = frame.side_data  # PyAV's annotation knows motion vectors only
    return bytes(beside[Type.DISPLAYMATRIX]) if Type.DISPLAYMATRIX in beside else b""
