"""Dags on a real Airflow: parsed, run by `dag.test()` and by the command line, with a real database."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.utils.airflow_internals import _read_state_in_database
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS
from tests.support.airflow_version import AIRFLOW_3
from tests.support.dag_runs import DAGS, dags_in, run
from tests.support.pictures import picture

EXAMPLES = Path(__file__).parents[2] / "example_dags"

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def storage(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path / "videos"))
    return tmp_path / "videos"


def test_the_example_dags_can_be_parsed(tmp_path):
    examples = {path.stem for path in EXAMPLES.glob("*.py")}
    for name in examples if _asks_people() else examples - {"example_veo_approval"}:
        shutil.copy(EXAMPLES / f"{name}.py", tmp_path)
    assert set(dags_in(tmp_path)) == {path.stem for path in tmp_path.glob("*.py")}
    assert len(examples) == 13


def _asks_people():
    """Return whether this Airflow can wait for a person, as 3.1 and later can."""
    try:
        from airflow.providers.standard.operators.hitl import ApprovalOperator
    except Exception:  # noqa: BLE001 - the module is missing, or raises its own error
        return False
    return bool(ApprovalOperator)


def test_one_task_orders_and_another_one_stores(veo_default, storage):
    state, _, result = run("two_tasks")
    assert state == "success"
    created, stored = result("create"), result("download")
    assert created["estimated_cost_usd"] == 0.25
    assert (created["status"], created["size"], created["seconds"]) == ("completed", "720x1280", 8)
    assert created["completed_at"].endswith("Z")
    assert stored["path"] == str(storage / "two_tasks" / f"{created['id']}.mp4")
    assert Path(stored["path"]).stat().st_size == stored["bytes"]
    assert veo_default.jobs.get(created["id"]).prompt == "画小猫"
    assert veo_default.jobs.report()["charged"] == 1


@pytest.mark.parametrize("mode", ["deferred", "waiting"])
def test_one_task_orders_and_stores(veo_default, storage, mode):
    state, _, result = run(f"one_task_{mode}")
    assert state == "success"
    assert result("create")["bytes"] == (storage / "a.mp4").stat().st_size
    assert veo_default.jobs.report()["charged"] == 1


def test_mapped_tasks_store_one_video_each(veo_default, storage):
    state, states, _ = run("mapped")
    assert state == "success"
    assert len(states) == 6
    assert sorted(path.name for path in storage.iterdir()) == ["0.mp4", "1.mp4", "2.mp4"]
    assert sorted(job.prompt for job in veo_default.jobs.all()) == ["one", "two", "two"]


def test_videos_are_joined_and_frames_are_extracted(veo_default, storage):
    state, states, result = run("joined")
    assert state == "success"
    assert len(states) == 6
    joined, picture = result("concat"), result("last_frame")
    assert joined["path"] == str(storage / "joined" / "joined.mp4")
    assert (joined["seconds"], joined["clips"], joined["reencoded"]) == (16.0, 2, False)
    assert joined["sha256"] == hashlib.sha256(Path(joined["path"]).read_bytes()).hexdigest()
    assert picture["path"] == str(storage / "joined" / "last.png")
    assert (picture["width"], picture["height"], picture["seconds"]) == (720, 1280, round(16 - 1 / 24, 6))
    assert sorted(path.name for path in storage.iterdir() if path.is_file()) == [
        "1.mp4",
        "1.mp4.jpg",
        "2.mp4",
        "2.mp4.jpg",
    ]


def test_asset_events_and_sidecars_describe_the_video(veo_default, storage, tmp_path, monkeypatch):
    pytest.importorskip(
        "airflow.sdk", reason="dag.test() of Airflow 2 takes no asset alias that is not in its database yet"
    )
    (tmp_path / "frame.png").write_bytes(frame := picture("PNG", 720, 1280))
    monkeypatch.setenv("AIRFLOW_VAR_VEO_FRAME", str(tmp_path / "frame.png"))
    state, _, result = run("asset_events")
    assert state == "success"
    created, copied = result("create"), result("download")
    known = {
        "video_id": created["id"],
        "uri": f"file://{storage}/asset_events/%E7%8C%AB.mp4",
        "bytes": (storage / "asset_events/猫.mp4").stat().st_size,
        "sha256": hashlib.sha256((storage / "asset_events/猫.mp4").read_bytes()).hexdigest(),
        "model": "veo-3.1-fl",
        "prompt_sha256": hashlib.sha256("画小猫".encode()).hexdigest(),
        "size": "720x1280",
        "seconds": 8.0,
        "created_at": created["created_at"],
        "completed_at": created["completed_at"],
        "estimated_cost_usd": 0.25,
        "cost_usd": None,
        "pass_index": None,
    }
    assert created["bytes"] == copied["bytes"] == known["bytes"]
    copy = known | {"uri": f"file://{copied['path']}"}
    assert asset_events() == {"veo_video": known, known["uri"]: known, copy["uri"]: copy}
    sidecar = json.loads((storage / "asset_events/猫.mp4.json").read_text(encoding="utf-8"))
    assert sidecar.pop("task")["task_id"] == "create"
    assert sidecar.pop("provider").startswith("airflow-provider-veo ")
    hashes = {"first_frame": hashlib.sha256(frame).hexdigest()}
    assert sidecar == known | {"prompt": "画小猫", "frames": hashes, "conn_id": "veo_default"}
    assert json.loads(Path(copied["sidecar"]).read_text(encoding="utf-8"))["uri"] == copy["uri"]


def asset_events():
    """Return the extra fields of the asset events of the Dag `asset_events`, by the name or address of the asset."""
    try:
        from airflow.models.asset import AssetEvent
    except ImportError:  # Airflow 2
        from airflow.models.dataset import DatasetEvent as AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        events = session.query(AssetEvent).filter_by(source_dag_id="asset_events").all()
        return {event.uri: dict(event.extra) for event in events}


@pytest.mark.parametrize("mode", ["deferred", "waiting"])
def test_mapped_tasks_with_the_same_destination_are_refused_before_an_order(veo_default, storage, caplog, mode):
    caplog.set_level("INFO")
    state, states, _ = run(f"one_place_{mode}")
    assert (state, set(states.values())) == ("failed", {"failed"})
    assert len(states) == 6
    assert caplog.text.count("Summary: failed (reason invalid_input): ") == 6
    assert (veo_default.jobs.report()["orders"], storage.exists()) == (0, False)


@pytest.mark.parametrize("mode", ["deferred", "waiting"])
def test_tasks_of_a_mapped_group_with_the_same_destination_are_refused(veo_default, storage, caplog, mode):
    """The operators for frames and for joining are refused, too, mapped alone or with their group."""
    caplog.set_level("INFO")
    state, states, _ = run(f"one_place_in_group_{mode}")
    assert (state, set(states.values())) == ("failed", {"failed"})
    assert len(states) == 2 * (5 + 2)
    assert caplog.text.count("is the same for all tasks of this mapped task or task group") >= len(states)
    assert (veo_default.jobs.report()["orders"], storage.exists()) == (0, False)


@pytest.mark.parametrize("mode", ["deferred", "waiting"])
def test_tasks_of_a_mapped_group_can_have_different_destinations(veo_default, storage, mode):
    state, _, _ = run(f"own_places_in_group_{mode}")
    assert state == "success"
    names = {"0.mp4", "1.mp4", "0.png", "1.png", "Episode #1.mp4", "Episode #2.mp4"}
    assert {path.name for path in storage.iterdir()} == names


@pytest.mark.parametrize("mode", ["deferred", "waiting"])
def test_a_decorated_function_returns_the_prompt(veo_default, storage, mode):
    state, _, result = run(f"decorated_{mode}")
    assert state == "success"
    prompts = sorted((job.prompt, job.model.id) for job in veo_default.jobs.all())
    assert prompts == [("scene 1", "veo-3.1-fast"), ("scene 2", "veo-3.1-fast"), ("{{ 猫 }} naps", "veo-3.1")]
    assert result("one")["prompt_sha256"] == hashlib.sha256("{{ 猫 }} naps".encode()).hexdigest()
    assert result("length") == (storage / f"decorated_{mode}" / "one.mp4").stat().st_size
    for number in (1, 2):
        sidecar = json.loads((storage / f"decorated/{number}.mp4.json").read_text(encoding="utf-8"))
        assert (sidecar["prompt"], sidecar["model"]) == (f"scene {number}", "veo-3.1-fast")
    assert veo_default.jobs.report()["charged"] == 3


@pytest.mark.parametrize("mode", ["deferred", "waiting"])
def test_a_sensor_waits_for_a_job_that_the_hook_has_ordered(veo_default, storage, mode):
    ordered = VeoHook().create_video(VideoSpec("a cat", "veo-3.1"))
    state, _, result = run(f"sensor_{mode}", {"video_id": ordered.id})
    assert state == "success"
    assert result("wait")["id"] == ordered.id
    assert result("download")["bytes"] == (storage / "sensed.mp4").stat().st_size


@pytest.mark.parametrize("mode", ["deferred", "waiting"])
def test_a_sensor_fails_if_its_job_fails(veo_default, mode):
    veo_default.jobs.fail_next("Content policy violation")
    ordered = VeoHook().create_video(VideoSpec("a cat", "veo-3.1"))
    state, states, _ = run(f"sensor_{mode}", {"video_id": ordered.id})
    assert (state, states["wait", -1], states["download", -1]) == ("failed", "failed", "upstream_failed")


@pytest.mark.parametrize("mode", ["deferred", "waiting"])
def test_a_refused_prompt_fails_without_retries(veo_default, mode):
    veo_default.jobs.fail_next("Content policy violation")
    state, states, _ = run(f"one_task_{mode}")
    assert (state, states["create", -1]) == ("failed", "failed")
    assert veo_default.jobs.report()["orders"] == 1


def test_the_state_that_decides_about_cancelling_is_read_from_the_database(veo_default):
    """Airflow before 3 needs this. The system tests read the state through Airflow 3's supervisor."""
    dag_run = dags_in(DAGS)["mapped"].test()
    for ti in dag_run.get_task_instances():
        assert _read_state_in_database(ti) == str(ti.state) == "success"
    ti.map_index = 99
    assert _read_state_in_database(ti) is None


def test_a_connection_is_read_from_the_database(emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__POLL_INTERVAL", "0.1")
    add = ["connections", "add", "veo_stored", "--conn-type", "veo", "--conn-host", emulator.url]
    airflow(*add, "--conn-password", emulator.settings.api_key)
    output = airflow("dags", "test", "stored_connection")
    assert "state=success" in output


def test_an_example_runs_from_the_command_line(veo_default, storage, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(EXAMPLES))
    output = airflow("dags", "test", "example_veo_text_to_video")
    if AIRFLOW_3:  # Airflow 2 prints no lines of its tasks here
        assert "Pausing task as DEFERRED" in output
    assert veo_default.jobs.report()["polls"] > 0
    assert [path.suffix for path in storage.rglob("*") if path.is_file()] == [".mp4"]
    # Airflow 3.0 prints here the values that it is asked to mask
    lines = [line for line in output.splitlines() if AIRFLOW_V_3_1_PLUS or "MaskSecret(" not in line]
    assert veo_default.settings.api_key not in "\n".join(lines)
    assert veo_default.jobs.report()["charged"] == 1


def airflow(*arguments):
    command = [sys.executable, "-m", "airflow", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    return output
