"""Profiles of gateways, each tried on an operator in front of a real server."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from tests.support.pictures import picture
from tests.support.scripted_server import Reply, connect
from tests.support.task_driver import TaskDriver


@pytest.fixture
def frame(tmp_path):
    path = tmp_path / "frame.png"
    path.write_bytes(picture("PNG", 160, 90))
    return str(path)


@pytest.fixture
def other_server(serve, monkeypatch):
    """Return a server that makes videos of 4 seconds with a model of the same name as the Veo 3.1 gateway's."""
    video = {"id": "v", "model": "veo-3.1", "seconds": "4"}

    def answer(request):
        return Reply(body=video | {"status": "queued" if request.method == "POST" else "completed"})

    server = serve(answer)
    connect(monkeypatch, server.url, profile="")
    return server


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_generic_server_gets_the_frames_and_its_result_has_no_price(other_server, frame, deferrable, caplog, capsys):
    result = TaskDriver(
        {"prompt": "p", "model": "veo-3.1", "first_frame": frame, "deferrable": deferrable, "poll_interval": 0.01}
    ).run()
    (order,) = [request for request in other_server.requests if request.method == "POST"]
    assert b'name="input_reference"' in order.body
    assert (result["model"], result["seconds"], result["size"]) == ("veo-3.1", 4.0, None)
    assert result["estimated_cost_usd"] is None
    log = caplog.text + capsys.readouterr().out  # Airflow logs to the one or the other
    assert "$" not in log
    assert "first_frame is" not in log


def test_a_model_with_the_name_of_a_frame_model_can_be_ordered_without_a_frame(other_server):
    assert TaskDriver({"prompt": "p", "model": "veo-3.1-fl", "poll_interval": 0.01}).run()["status"] == "completed"


def test_a_chat_call_of_another_server_names_no_price(veo_default, monkeypatch, caplog, capsys):
    connect(monkeypatch, veo_default.url, profile="generic")
    videos = TaskDriver({"prompt": "p", "model": "veo-3.1-fast", "n": 2}, operator=VeoChatCompletionOperator).run()
    assert len(videos) == 2
    assert "$" not in caplog.text + capsys.readouterr().out


@pytest.mark.parametrize("operator", [None, VeoChatCompletionOperator])
@pytest.mark.parametrize(
    ("model", "has_frame", "complaint"),
    [("veo-3.1", True, "takes no frames. Use 'veo-3.1-fl'"), ("veo-3.1-fl", False, "needs a first_frame")],
)
def test_the_rules_of_the_veo_gateway_are_applied_before_an_order(
    veo_default, frame, operator, model, has_frame, complaint
):
    arguments = {"prompt": "p", "model": model, "first_frame": frame if has_frame else None}
    error = TaskDriver(arguments, retries=2, **({"operator": operator} if operator else {})).run()
    assert isinstance(error, VeoFailException)
    assert complaint in str(error)
    assert list(veo_default.jobs.requests) == []


def test_an_unknown_profile_fails_the_task_with_the_connection_and_the_choices(veo_default, monkeypatch):
    connect(monkeypatch, veo_default.url, profile="cheap")
    error = TaskDriver({"prompt": "p"}, retries=2).run()
    assert isinstance(error, VeoFailException)
    assert "Connection 'veo_default': profile is 'cheap'; it must be 'veo-gateway', 'laozhang', " in str(error)
    assert list(veo_default.jobs.requests) == []


def test_the_client_applies_the_rules_of_the_veo_gateway(veo_default):
    with pytest.raises(InvalidInputError, match="needs a first_frame"):
        VeoHook().create_video(VideoSpec("p", "veo-3.1-fl"))
    with pytest.raises(InvalidInputError, match="needs a first_frame"):
        list(VeoHook().stream_chat(ChatSpec("p", "veo-3.1-fl")))
    assert list(veo_default.jobs.requests) == []
