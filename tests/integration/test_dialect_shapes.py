"""Each dialect's answers beside those of the real server: status, fields with their types, and words.

`servers.json` has what the servers said, or what their source says that they say.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from airflow_provider_veo.emulator.dialects import DIALECTS
from tests.support.bench import LONG, Bench

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "servers.json").read_text())
ANSWERS = [(server, call) for server, said in RECORDED.items() for call in said["answers"]]
# their own pages and captured answers are compared in test_dialects.py
COMPARED_ELSEWHERE = {"veo-gateway", "relay", "openai"}


@pytest.fixture(scope="module")
def servers():
    """Start a server for each dialect of the file."""
    started = {dialect: Bench(dialect) for dialect in {said["dialect"] for said in RECORDED.values()}}
    for bench in started.values():
        bench.__enter__()
    yield started
    for bench in started.values():
        bench.__exit__(None, None, None)


@pytest.mark.parametrize(("server", "call"), ANSWERS)
def test_an_answer_has_the_shape_of_the_real_one(servers, server, call):
    said = RECORDED[server]
    status, fields, words = said["answers"][call]
    answer = CALLS[call](servers[said["dialect"]], said["model"])
    assert answer.status_code == status
    assert fields_of(answer.json()) == set(fields.split())
    for word in words:
        assert word in answer.text
    if call == "create":
        assert re.fullmatch(said["id"], answer.json()["id"])


def test_every_server_that_was_measured_or_read_is_compared():
    assert {said["dialect"] for said in RECORDED.values()} | COMPARED_ELSEWHERE == set(DIALECTS)


@pytest.mark.parametrize("server", RECORDED)
def test_the_id_of_an_order_stays_the_same(servers, server):
    bench = servers[RECORDED[server]["dialect"]]
    ordered = order(bench, RECORDED[server]["model"]).json()["id"]
    assert bench.said(ordered).json()["id"] == ordered


def fields_of(body, path=""):
    """Return `name:type` of all fields of an object, those of objects in it and of the first one in a list, too."""
    found = set()
    for name, value in body.items():
        inner = value[0] if path == "" and name in ("data", "detail") and isinstance(value, list) and value else value
        if isinstance(inner, dict) and inner and (name != "data" or "status" not in inner):
            found |= fields_of(inner, f"{path}{name}.")
        else:
            found.add(f"{path}{name}:{'null' if value is None else type(value).__name__}")
    return found


def order(bench, model, *failure, **fields):
    """Order a video without size and length, which servers fill in as they do."""
    if failure:
        bench.jobs.fail_next(*failure)
    return bench.order(**{"model": model, "size": None, "seconds": None} | fields)


def asked(moment, part="", failure=()):
    def ask(bench, model):
        video_id = order(bench, model, *failure).json()["id"]
        bench.now += moment
        return bench.said(video_id, part)

    return ask


def wrong_key(bench, _model):
    return bench.http.get("/v1/videos/v", headers={"Authorization": "Bearer sk-wrong"})


def deleted(bench, model):
    return bench.http.delete(f"/v1/videos/{order(bench, model).json()['id']}")


def listed(bench, model):
    order(bench, model)
    return bench.http.get("/v1/videos")


FAILURE, FILTER = ("out of memory",), ("Content policy violation", "filtered")
CALLS = {
    "create": order,
    "not started": asked(0),
    "running": asked(LONG / 2),
    "completed": asked(LONG),
    "failed": asked(LONG, failure=FAILURE),
    "filtered": asked(LONG, failure=FILTER),
    "content before the end": asked(LONG / 2, "/content"),
    "content of a failed job": asked(LONG, "/content", FAILURE),
    "content of a filtered job": asked(LONG, "/content", FILTER),
    "another variant": asked(LONG, "/content?variant=thumbnail"),
    "unknown id": lambda bench, _model: bench.said("video_nosuch"),
    "unknown content": lambda bench, _model: bench.said("video_nosuch", "/content"),
    "wrong key": wrong_key,
    "unknown model": lambda bench, _model: order(bench, "no-such-model"),
    "no prompt": lambda bench, model: order(bench, model, prompt=None),
    "seconds of letters": lambda bench, model: order(bench, model, seconds="eight"),
    "seconds of letters in JSON": lambda bench, model: bench.http.post(
        "/v1/videos", json={"prompt": "a cat", "model": model, "seconds": "eight"}
    ),
    "seconds of 0": lambda bench, model: order(bench, model, seconds="0"),
    "a size without shape": lambda bench, model: order(bench, model, size="720p"),
    "list": listed,
    "delete": deleted,
    "models": lambda bench, _model: bench.http.get("/v1/models"),
}
