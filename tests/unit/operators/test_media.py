"""The media operators without a network: the arguments that they accept and refuse."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.operators.media import VeoConcatOperator, VeoExtractFrameOperator


def extract(**changes):
    arguments = {"source": "/nosuch/video.mp4", "destination": "/nosuch/frame.png"}
    return VeoExtractFrameOperator(task_id="extract", **(arguments | changes))


def concat(**changes):
    arguments = {"sources": ["/nosuch/a.mp4"], "destination": "/nosuch/video.mp4"}
    return VeoConcatOperator(task_id="concat", **(arguments | changes))


@pytest.mark.parametrize("at", ["last", "first", 0, 1.5, "1.5", "0"])
def test_a_valid_time_is_accepted(at):
    assert extract(at=at).at == at


@pytest.mark.parametrize("at", [-1, -0.001, "middle", "", None, True, "nan", float("inf"), [1]])
def test_an_invalid_time_is_refused(at):
    with pytest.raises(InvalidInputError, match=r"at is .*'first', 'last', or seconds"):
        extract(at=at)


@pytest.mark.parametrize(
    ("operator", "complaint"),
    [
        (extract(), "source '/nosuch/video.mp4' does not exist"),
        (extract(destination="nosuch://bucket/frame.png"), "cannot be used"),
        (extract(source={"id": "video_1"}), "source names no file"),
        (concat(sources=[Path(__file__), {"path": None}]), r"sources\[1\] names no file"),
        (concat(), r"sources\[0\] '/nosuch/a.mp4' does not exist"),
        (concat(sources=[__file__]), "test_media.py is not a video"),
    ],
)
def test_bad_input_fails_without_a_retry_and_leaves_nothing(operator, complaint, tmp_path):
    if "nosuch://" not in operator.destination:
        operator.destination = operator.destination.replace("/nosuch", str(tmp_path / "out"))
    with pytest.raises(VeoFailException, match=complaint):
        operator.execute({})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("make", "arguments", "complaint"),
    [
        (extract, {"at": "soon"}, "at is 'soon'"),
        (extract, {"source": None}, "source is None; it must be a path"),
        (extract, {"destination": "/nosuch/frame.gif"}, "ends in .png or .jpg or .jpeg"),
        (extract, {"destination": "/nosuch/folder/"}, "ends in .png"),
        (extract, {"destination": ""}, "destination is ''"),
        (concat, {"sources": []}, "it must be a list of clips"),
        (concat, {"sources": iter([])}, "it must be a list of clips"),
        (concat, {"sources": None}, "it must be a list of clips"),
        (concat, {"sources": [None]}, "it must be a list of clips"),
        (concat, {"sources": "/nosuch/a.mp4"}, "sources is '/nosuch/a.mp4'; it must be a list of clips"),
        (concat, {"sources": {"path": "/nosuch/a.mp4"}}, "sources is a dictionary of path; it must be a list of clips"),
        (concat, {"destination": "/nosuch/video.avi"}, "ends in .mp4"),
        (concat, {"destination": "/nosuch/"}, "ends in .mp4"),
    ],
)
def test_wrong_arguments_are_refused_when_the_dag_is_parsed(make, arguments, complaint):
    with pytest.raises(InvalidInputError, match=f"Task '{make.__name__}': .*{complaint}"):
        make(**arguments)


@pytest.mark.parametrize("operator", [extract(), concat()])
def test_without_pyav_the_error_says_what_to_install(operator, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("airflow_provider_veo.media.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(VeoFailException, match=r"pip install 'airflow-provider-veo\[media\]'"):
        operator.execute({})
