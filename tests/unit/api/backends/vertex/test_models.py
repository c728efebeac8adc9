from __future__ import annotations

import pytest

from airflow_provider_veo.api.backends.vertex.models import estimate_cost
from airflow_provider_veo.api.specs import VideoSpec

NORMAL, FAST, LITE = (f"veo-3.1-{name}generate-001" for name in ("", "fast-", "lite-"))
SILENT = {"generateAudio": False}


@pytest.mark.parametrize(
    ("model", "seconds", "size", "parameters", "price"),
    [
        (NORMAL, 8, None, {}, 3.2),
        (NORMAL, None, None, {}, 3.2),
        (NORMAL, 4, "1920x1080", {}, 1.6),
        (NORMAL, 8, "3840x2160", {}, 4.8),
        (NORMAL, 8, None, SILENT, 1.6),
        (NORMAL, 8, "2160x3840", SILENT, 3.2),
        (NORMAL, 8, None, {"sampleCount": 4}, 12.8),
        (NORMAL, 8, None, {"generateAudio": True}, 3.2),
        (f"google/{FAST}", 6, "1280x720", {}, 0.6),
        (FAST, 6, "1080x1920", {}, 0.72),
        (FAST, 6, "3840x2160", {}, 1.8),
        (FAST, 6, None, SILENT, 0.48),
        (FAST, 6, "1920x1080", SILENT, 0.6),
        (FAST, 6, "3840x2160", SILENT, None),
        (LITE, 8, None, {}, 0.4),
        (LITE, 8, "1920x1080", {}, 0.64),
        (LITE, 8, None, SILENT, 0.24),
        (LITE, 8, "3840x2160", {}, None),
        (LITE, None, None, {"durationSeconds": 6}, 0.3),
        # nothing known, or nothing that is a number
        ("veo-9", 8, None, {}, None),
        (NORMAL, 8, "1x1", {}, None),
        (NORMAL, None, None, {"durationSeconds": "8"}, None),
        (NORMAL, 8, None, {"sampleCount": True}, None),
        (NORMAL, 8, None, {"resolution": ["720p"]}, None),
    ],
)
def test_an_order_has_a_price(model, seconds, size, parameters, price):
    spec = VideoSpec("A boat.", model, seconds=seconds, size=size, extra_body={"parameters": parameters})
    assert estimate_cost(spec) == price


def test_an_extension_has_seven_seconds():
    spec = VideoSpec("A boat.", NORMAL, extra_body={"instances": [{"video": {"gcsUri": "gs://b/x.mp4"}}]})
    assert estimate_cost(spec) == 2.8
