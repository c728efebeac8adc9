"""Answers of each dialect, compared with those of the real server: status, fields with their types, and texts.

`servers.json` holds the answers that the real servers gave, or that their source code describes.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from airflow_provider_veo.emulator.dialects import OPENAI_DIALECTS
from tests.support.dialect_server import LONG, DialectServer

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "servers.json").read_text())
ANSWERS = [(server, call) for server, said in RECORDED.items() for call in said["answers"]]
# test_dialects.py compares these with their documentation and with captured answers
COMPARED_ELSEWHERE = {"veo-gateway", "relay", "openai"}


@pytest.fixture(scope="module")
def servers():
    """Start a server for each dialect of the file."""
    started = {dialect: DialectServer(dialect) for dialect in {said["dialect"] for said in RECORDED.values()}}
    for dialect_server in started.values():
        dialect_server.__enter__()
    yield started
    for dialect_server in started.values():
        dialect_server.__exit__(None, None, None)


@pytest.mark.parametrize(("server", "call"), ANSWERS)
def test_an_answer_has_the_shape_of_the_real_answer(servers, server, call):
    said = RECORDED[server]
    status, fields, words = said["answers"][call]
    answer = CALLS[call](servers[said["dialect"]], said["model"])
    assert answer.status_code == status
    assert fields_of(answer.json()) == set(fields.split())
    for word in words:
        assert word in answer.text
    if call == "create":
        assert re.fullmatch(said["id"], answer.json()["id"])


def test_every_dialect_is_compared():
    assert {said["dialect"] for said in RECORDED.values()} | COMPARED_ELSEWHERE == set(OPENAI_DIALECTS)


@pytest.mark.parametrize("server", RECORDED)
def test_the_id_of_an_order_stays_the_same(servers, server):
    dialect_server = servers[RECORDED[server]["dialect"]]
    ordered = order(dialect_server, RECORDED[server]["model"]).json()["id"]
    assert dialect_server.get(ordered).json()["id"] == ordered


def fields_of(body, path=""):
    """Return `name:type` of all fields of an object, of the objects in it, and of the first object in a list."""
    found = set()
    for name, value in body.items():
        inner = value[0] if path == "" and name in ("data", "detail") and isinstance(value, list) and value else value
        if isinstance(inner, dict) and inner and (name != "data" or "status" not in inner):
            found |= fields_of(inner, f"{path}{name}.")
        else:
            found.add(f"{path}{name}:{'null' if value is None else type(value).__name__}")
    return found


def order(dialect_server, model, *failure, **fields):
    """Order a video without size and length, for which each server has its own defaults."""
    if failure:
        dialect_server.jobs.fail_next(*failure)
    return dialect_server.order(**{"model": model, "size": None, "seconds": None} | fields)


def asked(moment, part="", failure=()):
    def ask(dialect_server, model):
        video_id = order(dialect_server, model, *failure).json()["id"]
        dialect_server.now += moment
        return dialect_server.get(video_id, part)

    return ask


def wrong_key(dialect_server, _model):
    return dialect_server.http.get("/v1/videos/v", headers={"Authorization": "Bearer sk-wrong"})


def deleted(dialect_server, model):
    return dialect_server.http.delete(f"/v1/videos/{order(dialect_server, model).json()['id']}")


def listed(dialect_server, model):
    order(dialect_server, model)
    return dialect_server.http.get("/v1/videos")


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
    "unknown id": lambda dialect_server, _model: dialect_server.get("video_nosuch"),
    "unknown content": lambda dialect_server, _model: dialect_server.get("video_nosuch", "/content"),
    "wrong key": wrong_key,
    "unknown model": lambda dialect_server, _model: order(dialect_server, "no-such-model"),
    "no prompt": lambda dialect_server, model: order(dialect_server, model, prompt=None),
    "seconds of letters": lambda dialect_server, model: order(dialect_server, model, seconds="eight"),
    "seconds of letters in JSON": lambda dialect_server, model: dialect_server.http.post(
        "/v1/videos", json={"prompt": "a cat", "model": model, "seconds": "eight"}
    ),
    "seconds of 0": lambda dialect_server, model: order(dialect_server, model, seconds="0"),
    "a size without shape": lambda dialect_server, model: order(dialect_server, model, size="720p"),
    "list": listed,
    "delete": deleted,
    "models": lambda dialect_server, _model: dialect_server.http.get("/v1/models"),
}
