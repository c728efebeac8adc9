"""The prices and the connections of docs/where.md are those of the code."""

from __future__ import annotations

import json
import re

import pytest

from airflow_provider_veo.api.backends.gemini.backend import GeminiBackend
from airflow_provider_veo.api.backends.profiles import LAOZHANG, find_profile_of_host
from airflow_provider_veo.api.backends.registry import choose_backend
from airflow_provider_veo.api.backends.vertex.backend import VertexBackend
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.emulator.dialects.openrouter import OpenRouter
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.get_provider_info import get_provider_info
from tests.docs.pages import ROOT

ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]]
    for line in (ROOT / "docs" / "where.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ")
]
CONNECTIONS = {row[0]: json.loads(row[2].strip("`")) for row in ROWS if "conn_type" in row[-1]}


def find_price(model, *, seller=""):
    """Return the price of a model in the table of services."""
    (price,) = [row[2] for row in ROWS if len(row) == 6 and f"`{model}`" in row[1] and seller in row[0]]
    return float(re.match(r"\$([\d.]+)", price)[1])


@pytest.mark.parametrize("name", ["generate", "fast-generate", "lite-generate"])
def test_the_prices_of_veo_on_google_cloud(name):
    model = f"veo-3.1-{name}-001"
    assert find_price(model) == VertexBackend("p", "us-central1").estimate_cost(VideoSpec("a cat", model, seconds=8))


def test_the_prices_of_gemini_omni():
    spec = VideoSpec("a cat", GeminiBackend.default_model, seconds=8)
    assert find_price(spec.model, seller="Google") == round(GeminiBackend().estimate_cost(spec), 2)
    assert find_price(spec.model, seller="LaoZhang") == LAOZHANG.estimate_cost(spec)


@pytest.mark.parametrize("model", OpenRouter.listed)
def test_the_prices_at_openrouter(model):
    assert find_price(model) == OpenRouter(Settings()).model(model, {"duration": 8}).price_usd


def test_each_connection_has_known_fields_and_its_backend():
    known = get_provider_info()["connection-types"][0]["conn-fields"]
    backends = {}
    for who, connection in CONNECTIONS.items():
        extra, host = connection.get("extra", {}), connection.get("host", "")
        assert set(extra) <= set(known)
        backends[who] = choose_backend(extra.get("backend"), host)
    assert list(backends.values()) == ["vertex", "gemini", "gemini", "openrouter", "openai", "openai", "openai"]
    assert find_profile_of_host(CONNECTIONS["LaoZhang"]["host"]) is LAOZHANG
