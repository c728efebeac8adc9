"""The orientation in which a player shows a picture."""

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
    """One of the eight orientations of a picture. Other angles count as the nearest right angle.

    Attributes:
        is_turned: Whether rows become columns. This comes first.
        is_mirrored: Whether left and right are exchanged.
        is_flipped: Whether top and bottom are exchanged.
    """

    is_turned: bool = False
    is_mirrored: bool = False
    is_flipped: bool = False

    @classmethod
    def of(cls, matrix: bytes) -> Orientation:
        """Return the orientation of a display matrix (ISO/IEC 14496-12, 6.2.2). An empty matrix changes nothing."""
        if len(matrix) != _MATRIX.size:
            return cls()
        # a point (x, y) goes to (a x + c y, b x + d y)
        a, b, _, c, d, *_ = _MATRIX.unpack(matrix)
        if abs(b) > abs(a):
            return cls(True, c < 0, b < 0)
        return cls(False, a < 0, d < 0)

    @property
    def steps(self) -> list[Step]:
        """The filters that bring a picture into this orientation."""
        every = (
            (self.is_turned, ("transpose", "cclock_flip")),
            (self.is_mirrored, ("hflip", "")),
            (self.is_flipped, ("vflip", "")),
        )
        return [step for is_needed, step in every if is_needed]


def read_matrix(frame: VideoFrame) -> bytes:
    """Return the display matrix of a frame; empty bytes if it has none."""
    beside: Any = frame.side_data  # PyAV's annotation allows motion vectors only
    return bytes(beside[Type.DISPLAYMATRIX]) if Type.DISPLAYMATRIX in beside else b""
