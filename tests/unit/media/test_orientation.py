"""Display matrices of videos."""

from __future__ import annotations

import struct

import pytest

from airflow_provider_veo.media.orientation import Orientation
from tests.unit.media.samples import UPRIGHT

ONE = 2**16


@pytest.mark.parametrize(
    ("matrix", "steps"),
    [
        ((ONE, 0, 0, ONE), []),
        ((-ONE, 0, 0, ONE), ["hflip"]),
        ((ONE, 0, 0, -ONE), ["vflip"]),
        ((-ONE, 0, 0, -ONE), ["hflip", "vflip"]),
        ((0, ONE, ONE, 0), ["transpose"]),
        ((0, ONE, -ONE, 0), ["transpose", "hflip"]),
        ((0, -ONE, ONE, 0), ["transpose", "vflip"]),
        ((0, -ONE, -ONE, 0), ["transpose", "hflip", "vflip"]),
        ((2 * ONE, 0, 0, -ONE // 2), ["vflip"]),
        ((ONE, 900, -900, ONE), []),
        ((0, 0, 0, 0), []),
    ],
)
def test_a_display_matrix_gives_the_orientation(matrix, steps):
    a, b, c, d = matrix
    orientation = Orientation.of(struct.pack("=9i", a, b, 0, c, d, 0, 99, 99, 2**30))
    assert [name for name, _ in orientation.steps] == steps


@pytest.mark.parametrize("matrix", [b"", bytes(8), bytes(40)])
def test_an_invalid_display_matrix_changes_nothing(matrix):
    assert Orientation.of(matrix) == UPRIGHT
