"""The page's application in Airflow's own API server, with real log-ins, a real database and real files."""

from __future__ import annotations

import io
import json
import os
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_veo.api.backends.profiles import GENERIC
from airflow_provider_veo.observability.keys import ORDER_KEY, OUTCOME_KEY
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS

if not AIRFLOW_V_3_1_PLUS:
    pytest.skip("Airflow shows pages of plugins since 3.1", allow_module_level=True)

from fastapi.testclient import TestClient
from sqlalchemy import event

from airflow_provider_veo import ui
from airflow_provider_veo.observability import page
from airflow_provider_veo.storage.proof import make_proof
from airflow_provider_veo.ui import content
from airflow_provider_veo.ui.app import NOT_SERVED
from airflow_provider_veo.ui.queries import PAGE_SIZE
from tests.support import page_entries
from tests.support.mp4_boxes import make_video
from tests.support.odd_values import with_odd_leaves

VIDEO = make_video(bytes(5000))
PROOF = make_proof(io.BytesIO(VIDEO))
STORED = {"bytes": len(VIDEO), "sha256": "5" * 64, "media_type": "video/mp4", "proof": PROOF}
RUN = "manual__2026-03-01T12:00:00+00:00"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return Airflow's API server as an application, with an administrator and a viewer who may not see all Dags."""
    from airflow.api_fastapi import app as airflow_app
    from airflow.utils.db import initdb

    folder = tmp_path_factory.mktemp("page")
    (folder / "passwords.json").write_text(json.dumps({"admin": "admin", "vera": "vera"}))
    settings = {
        "AIRFLOW__CORE__AUTH_MANAGER": "tests.page.rights.RightsByDag",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,vera:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of at least sixty-four bytes, which only these tests know and use",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        initdb()
        airflow_app.purge_cached_app()
        yield airflow_app.create_app(apps="core")
        airflow_app.purge_cached_app()


def login(server, name):
    client = TestClient(server, base_url="http://testserver/veo")
    token = client.post("/../auth/token", json={"username": name, "password": name})
    client.headers["Authorization"] = f"Bearer {token.raise_for_status().json()['access_token']}"
    return client


@pytest.fixture(scope="module")
def clients(server):
    with TestClient(server):  # starts the application
        yield {name: login(server, name) for name in ("admin", "vera")}


@pytest.fixture
def admin(clients):
    return clients["admin"]


@pytest.fixture
def vera(clients):
    return clients["vera"]


@pytest.fixture
def session():
    from airflow.utils.session import create_session

    with create_session() as session:
        page_entries.empty(session)
        yield session
        page_entries.empty(session)


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """Let the page open files below one folder."""
    folder = tmp_path / "root"
    folder.mkdir()
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def quick_refusals(monkeypatch):
    monkeypatch.setattr(content, "REFUSAL", 0.02)


@pytest.fixture
def stored(session, root):
    """Put a video where a task has recorded it, and return its path."""
    path = root / "猫 video.mp4"
    path.write_bytes(VIDEO)
    record(session, path=str(path))
    return path


def record(session, *, dag_id="videos", task_id="create", map_index=-1, state="success", order=True, **outcome):
    if "path" in outcome:
        outcome = STORED | outcome
    notes = {OUTCOME_KEY: outcome} if outcome else {}
    if order:
        notes[ORDER_KEY] = {"prompt": "p", "model": "m", "size": None, "videos": 1}
    page_entries.add_run(session, dag_id, RUN, [(task_id, map_index, state, notes)])


def key(dag_id="videos", task_id="create", map_index=-1, **more):
    return {"dag_id": dag_id, "run_id": RUN, "task_id": task_id, "map_index": map_index, **more}


ROUTES = ("/", "/task", "/static/gallery.js", "/api/tasks", "/api/summary", "/api/task", "/api/content")


def test_all_routes_only_read():
    from airflow_provider_veo.ui.app import app

    paths = {route.path.replace("{name}", "gallery.js"): route.methods for route in app.routes}
    assert set(paths) == set(ROUTES)
    assert set().union(*paths.values()) == {"GET"}


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_needs_a_login(server, clients, stored, route):
    answer = TestClient(server).get(f"/veo{route}", params=key())
    assert answer.status_code == 401
    assert VIDEO[:8] not in answer.content
    assert TestClient(server, headers={"Authorization": "Bearer nonsense"}).get(f"/veo{route}").status_code == 403
    assert TestClient(server, cookies={"_token": "nonsense"}).get(f"/veo{route}").status_code in (401, 403)


@pytest.mark.parametrize("route", ["/api/tasks", "/api/summary", "/api/task", "/api/content"])
def test_a_user_without_rights_for_a_dag_gets_403(session, vera, admin, root, route):
    (root / "a.mp4").write_bytes(VIDEO)
    record(session, dag_id="secret", path=str(root / "a.mp4"))
    assert vera.get(route, params=key("secret")).status_code == 403
    assert admin.get(route, params=key("secret")).status_code == 200


def test_a_user_without_rights_for_a_dag_sees_nothing_of_it(session, vera, admin):
    record(session, dag_id="secret")
    record(session, dag_id="videos")
    assert [one["dag_id"] for one in vera.get("/api/tasks").json()["tasks"]] == ["videos"]
    seen = vera.get("/api/summary").json()
    assert (seen["dags"], seen["totals"]["tasks"]) == (["videos"], 1)
    assert admin.get("/api/summary").json()["dags"] == ["secret", "videos"]


@pytest.mark.parametrize("route", ROUTES)
def test_every_answer_has_the_security_headers(admin, stored, route):
    for parameters in (key(), key("nosuch")):
        headers = admin.get(route, params=parameters).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "*" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_names_no_other_host(admin):
    for name in ("/", "/task", *(f"/static/{path.name}" for path in STATIC.iterdir())):
        text = admin.get(name).raise_for_status().text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"""(?:https?:)?//[\w.-]+\.\w|style="|\son\w+="|innerHTML|insertAdjacentHTML""", text), (
            name
        )


STATIC = Path(ui.__file__).parent / "static"


@pytest.mark.parametrize("name", ["nosuch.js", "..%2Fapp.py", "%2e%2e/app.py", "/etc/passwd"])
def test_only_static_files_of_the_page_are_served(admin, name):
    assert admin.get(f"/static/{name}").status_code == 404


def test_pages_are_in_order_and_complete(session, admin):
    page_entries.add_tasks(session, 60)
    pages = [admin.get("/api/tasks", params={"page": page}).json() for page in (1, 2, 3, 4)]
    assert [len(page["tasks"]) for page in pages] == [PAGE_SIZE, PAGE_SIZE, 60 - 2 * PAGE_SIZE, 0]
    assert [page["more"] for page in pages] == [True, True, False, False]
    shown = [one["map_index"] for page in pages for one in page["tasks"]]
    assert shown == list(range(59, -1, -1))


def test_a_full_page_may_be_the_last(session, admin):
    page_entries.add_tasks(session, PAGE_SIZE)
    assert admin.get("/api/tasks").json()["more"] is False


def test_filters_select_jobs(session, admin):
    page_entries.add_tasks(session, 30, per_run=10)
    page_entries.add_tasks(session, 5, dag_id="other")
    page_entries.add_run(
        session,
        "older",
        RUN,
        [("create", -1, "success", page_entries.notes_of(5))],
        at=page_entries.START - timedelta(1),
    )
    day = {"since": page_entries.START, "until": page_entries.START + timedelta(minutes=10)}

    def count(**wanted):
        summary = admin.get("/api/summary", params=wanted).json()
        listed = admin.get("/api/tasks", params=wanted).json()["tasks"]
        assert len(listed) == min(PAGE_SIZE, summary["totals"]["tasks"])
        return summary["totals"]["tasks"]

    assert count() == 36
    assert count(dag_id="videos") == 30
    assert count(dag_id="nosuch") == 0
    assert count(status="failed") == 7
    assert count(status="in_progress", dag_id="videos") == 6
    assert count(model="sora-9") == 12
    assert count(**{name: value.isoformat() for name, value in day.items()}) == 15
    assert count(model="veo-3.1-fast", status="completed", dag_id="other") == 1


def test_totals_sum_up_all_jobs(session, admin):
    page_entries.add_tasks(session, 10)
    record(session, dag_id="chat", videos=["url-1", "url-2"], estimated_cost_usd=0.3)
    totals = admin.get("/api/summary").json()["totals"]
    assert (totals["completed"], totals["failed"], totals["in_progress"]) == (7, 2, 2)
    assert totals["success_rate"] == pytest.approx(7 / 9)
    prices = {"veo-3.1-fast": 0.15, "veo-3.1-landscape": 0.25, "sora-9": 0}
    made = [n for n in range(10) if page_entries.STATES[n % 5] == "success"]
    assert totals["estimated_cost_usd"] == pytest.approx(0.3 + sum(prices[page_entries.MODELS[n % 3]] for n in made))
    assert totals["mean_generation_seconds"] == pytest.approx(sum(60 + n for n in made) / len(made))


@pytest.mark.parametrize(
    "wanted", [{"page": 0}, {"page": "x"}, {"status": "done"}, {"since": "yesterday"}, {"since": "2026-03-01T00:00:00"}]
)
def test_bad_filters_are_refused(admin, wanted):
    assert admin.get("/api/tasks", params=wanted).status_code == 422


def test_the_number_of_queries_does_not_grow_with_the_database(session, admin):
    asked = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *args: asked.append(args[2]))

    def statements(path):
        admin.get(path, params={"page": 1}).raise_for_status()  # this process reads new versions of Dags once
        asked.clear()
        admin.get(path, params={"page": 1}).raise_for_status()
        return len(asked)

    page_entries.add_tasks(session, 30)
    few = {path: statements(path) for path in ("/api/tasks", "/api/summary")}
    for number in range(5):
        page_entries.add_tasks(session, 200, dag_id=f"dag_{number}", per_run=20)
    assert {path: statements(path) for path in few} == few
    assert max(few.values()) <= 10


def test_a_job_in_progress_shows_its_progress(session, admin):
    notes = {ORDER_KEY: {"prompt": "猫", "model": "m", "videos": 1}, "progress": "processing 42 %"}
    page_entries.add_run(session, "videos", RUN, [("create", 3, "deferred", notes)])
    shown = admin.get("/api/task", params=key(map_index=3)).json()
    assert shown["progress"] == {"text": "processing", "percent": 42.0}
    assert (shown["status"], shown["prompt"], shown["media"]) == ("in_progress", "猫", [])
    assert shown.pop("tries") == [1]
    assert admin.get("/api/tasks").json()["tasks"] == [shown]


def test_a_task_that_is_not_mapped_is_found_from_airflows_tab(admin, stored):
    found = admin.get("/api/task", params=key(map_index="{MAP_INDEX}"))
    assert found.json()["media"][0]["media_type"] == "video/mp4"


def test_an_unknown_task_is_not_found(admin, session):
    answer = admin.get("/api/task", params=key())
    assert answer.status_code == 404
    assert "no such task instance" in answer.json()["detail"]


def test_a_create_task_shows_the_videos_that_download_tasks_stored(session, admin, root):
    (root / "a.mp4").write_bytes(VIDEO)
    order = {"prompt": "p", "model": "m", "videos": 1}
    file = {"path": str(root / "a.mp4"), **STORED}
    tasks = [
        ("create", -1, "success", {ORDER_KEY: order, OUTCOME_KEY: {"videos": ["v1", "v2"]}}),
        ("download", 0, "success", {OUTCOME_KEY: {"of": "v1", **file}}),
        ("download", 1, "success", {OUTCOME_KEY: {"of": "v2", **file}}),
    ]
    page_entries.add_run(session, "videos", RUN, tasks)
    same = {ORDER_KEY: order, OUTCOME_KEY: {"videos": ["v1"]}}
    other = [("create", -1, "success", same), ("download", 5, "success", {OUTCOME_KEY: {"of": "v1", **file}})]
    page_entries.add_run(session, "other", RUN, other)
    shown = {one["dag_id"]: one for one in admin.get("/api/tasks").json()["tasks"]}
    assert [one["map_index"] for one in shown["other"]["media"]] == [5]
    shown = shown["videos"]
    assert [(one["dag_id"], one["task_id"], one["map_index"]) for one in shown["media"]] == [
        ("videos", "download", 0),
        ("videos", "download", 1),
    ]
    medium = {name: value for name, value in shown["media"][1].items() if value is not None}
    assert admin.get("/api/content", params=medium | {"unused": 1}).content == VIDEO


def test_the_whole_file_is_served(admin, stored):
    answer = admin.get("/api/content", params=key())
    assert (answer.status_code, answer.content) == (200, VIDEO)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-length"] == str(len(VIDEO))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-encoding"] == "identity"
    assert answer.headers["content-disposition"] == "inline; filename*=UTF-8''%E7%8C%AB%20video.mp4"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "attachment" in admin.get("/api/content", params=key(save="true")).headers["content-disposition"]


def test_parts_of_the_file_are_served(admin, stored):
    def ask(**headers):
        answer = admin.get("/api/content", params=key(), headers={k.replace("_", "-"): v for k, v in headers.items()})
        return answer.status_code, answer.headers.get("content-range"), answer.content

    size, tag = len(VIDEO), '"' + "5" * 64 + '"'
    assert ask(range="bytes=10-19") == (206, f"bytes 10-19/{size}", VIDEO[10:20])
    assert ask(range="bytes=-7") == (206, f"bytes {size - 7}-{size - 1}/{size}", VIDEO[-7:])
    assert ask(range=f"bytes={size}-") == (416, f"bytes */{size}", b"")
    assert ask(range="bytes=10-19", if_range=tag) == (206, f"bytes 10-19/{size}", VIDEO[10:20])
    assert ask(range="bytes=10-19", if_range='"old"') == (200, None, VIDEO)
    assert ask(if_none_match=tag) == (304, None, b"")
    assert ask(if_none_match='"old"') == (200, None, VIDEO)


def test_an_object_is_served(session, admin, memory, monkeypatch):
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    monkeypatch.setenv("AIRFLOW__VEO__PAGE_ROOTS", f"/nowhere, {memory}/")
    path = ObjectStoragePath(f"{memory}/a.mp4")
    path.write_bytes(VIDEO)
    record(session, path=str(path))
    assert admin.get("/api/content", params=key(), headers={"Range": "bytes=100-"}).content == VIDEO[100:]


def test_a_picture_is_served(session, admin, root):
    from tests.support.pictures import picture

    (root / "a.png").write_bytes(picture())
    proof = make_proof(io.BytesIO(picture()))
    record(session, path=str(root / "a.png"), media_type="image/png", bytes=len(picture()), proof=proof, order=False)
    answer = admin.get("/api/content", params=key())
    assert (answer.headers["content-type"], answer.content) == ("image/png", picture())


def assert_not_served(client, **more):
    answer = client.get("/api/content", params=key(**more))
    assert (answer.status_code, answer.json()) == (404, {"detail": NOT_SERVED})


def test_a_path_in_the_query_is_ignored(session, admin, root):
    (root / "a.mp4").write_bytes(VIDEO)
    record(session, videos=["v"])
    assert_not_served(admin, path=str(root / "a.mp4"))


def why_not(client):
    (medium,) = client.get("/api/task", params=key()).raise_for_status().json()["media"]
    return medium["why_not"]


PLACES = {
    "outside": "../outside/a.mp4",
    "beside a root with the same prefix": "../root-of-others/a.mp4",
    "by a link": "link.mp4",
    "by a link of a folder": "folder/a.mp4",
    "the provider's own": "_veo/a.mp4",
    "the provider's own in other letters": "_VEO/deep/a.mp4",
    "nothing": "nothing.mp4",
    "nothing outside": "../outside/nothing.mp4",
    "the root": ".",
    "a pipe": "pipe.mp4",
    "a folder": "inner",
    "another video": "other.mp4",
    "a NUL": "a\0.mp4",
    "half an emoji": "a\ud83d.mp4",
    "a name that is too long": "a" * 5000,
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_all_files_that_are_not_served_get_the_same_answer(session, admin, root, place):
    """A user who may change XComs must not learn which files the API server can read."""
    for folder in ("../outside", "../root-of-others", "_veo", "_VEO/deep", "inner"):
        (root / folder).mkdir(parents=True)
        (root / folder / "a.mp4").write_bytes(VIDEO)
    (root / "link.mp4").symlink_to(root.parent / "outside" / "a.mp4")
    (root / "folder").symlink_to(root.parent / "outside")
    (root / "other.mp4").write_bytes(VIDEO + b"another")
    os.mkfifo(root / "pipe.mp4")
    record(session, path=f"{root}/{place}")
    assert_not_served(admin)


def test_links_are_resolved_before_a_file_is_served(session, admin, root, tmp_path, monkeypatch):
    (root / "inner").mkdir()
    (root / "inner" / "a.mp4").write_bytes(VIDEO)
    (root / "link").symlink_to(root / "inner")
    (tmp_path / "alias").symlink_to(root)
    monkeypatch.setenv("AIRFLOW__VEO__PAGE_ROOTS", f"{tmp_path}/alias/\nrelative, {tmp_path}/nothing")
    for path in ("inner/a.mp4", "link/a.mp4", "link/../inner/a.mp4", "inner/../../root/inner/a.mp4"):
        page_entries.empty(session)
        record(session, path=f"{root}/{path}")
        assert admin.get("/api/content", params=key()).content == VIDEO
        assert why_not(admin) is None


def test_every_refusal_takes_the_same_time(session, admin, root, monkeypatch):
    monkeypatch.setattr(content, "REFUSAL", 0.3)
    (root / "other.mp4").write_bytes(VIDEO + b"another")
    for path in ("other.mp4", "nothing.mp4", "../outside.mp4"):
        page_entries.empty(session)
        record(session, path=f"{root}/{path}")
        started = time.monotonic()
        assert_not_served(admin)
        assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("proof", [None, "", 7, "0" * 64, "é", PROOF.upper(), [PROOF]])
def test_a_file_without_a_valid_proof_is_not_served(session, admin, root, proof):
    (root / "a.mp4").write_bytes(VIDEO)
    record(session, path=str(root / "a.mp4"), proof=proof)
    assert_not_served(admin)


def test_a_page_entry_of_an_older_version_says_what_to_do(session, admin, root):
    record(session, path=str(root / "a.mp4"), proof=None)
    assert "Run the task again" in why_not(admin)


@pytest.mark.parametrize("roots", ["", "relative, also/relative", "/nowhere"])
def test_a_file_outside_the_roots_names_the_option_and_the_folder(session, admin, root, monkeypatch, roots):
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", "")
    monkeypatch.setenv("AIRFLOW__VEO__PAGE_ROOTS", roots)
    (root / "a.mp4").write_bytes(VIDEO)
    record(session, path=str(root / "a.mp4"))
    assert_not_served(admin)
    reason = why_not(admin)
    assert reason.endswith(f"add its folder to [veo] page_roots of the API server: {root}")
    assert ("plays nothing" in reason) is (roots != "/nowhere")


def test_a_playable_file_is_shown_without_its_proof(session, admin, root):
    (root / "a.mp4").write_bytes(VIDEO)
    record(session, path=str(root / "a.mp4"))
    answer = admin.get("/api/task", params=key())
    place = {"region_id": None, "region_index": None, "try_number": None}
    shown = {**key(), **place, "media_type": "video/mp4", "bytes": len(VIDEO), "why_not": None}
    assert answer.json()["media"][0] == shown
    assert PROOF not in answer.text + admin.get("/api/tasks").text


@pytest.mark.parametrize(
    "key_of_object",
    [
        "videos/../secret/a.mp4",
        "videos/%2e%2e/secret/a.mp4",
        "videos/%252e%252e/secret/a.mp4",
        "videos/..%2fsecret/a.mp4",
        "videos/..\\secret/a.mp4",
        "videos2/a.mp4",
        "Videos/a.mp4",
        "/videos/a.mp4",
        "secret/a.mp4",
        "videos/_veo/a.mp4",
        "videos/%5Fveo/a.mp4",
        "videos",
        "",
    ],
)
def test_an_object_outside_the_roots_is_not_served(session, admin, memory, monkeypatch, key_of_object):
    import fsspec

    monkeypatch.setenv("AIRFLOW__VEO__PAGE_ROOTS", memory)
    files = fsspec.filesystem("memory")
    for path in ("secret/a.mp4", "videos2/a.mp4", "Videos/a.mp4", "videos/_veo/a.mp4", key_of_object or "a.mp4"):
        files.pipe(f"/bucket/{path}", VIDEO)
    record(session, path=f"memory://bucket/{key_of_object}")
    assert_not_served(admin)
    page_entries.empty(session)
    record(session, path="memory://Bucket/videos/a.mp4")
    assert_not_served(admin)


def test_an_object_is_read_by_the_connection_of_its_root(session, admin, memory, monkeypatch):
    import fsspec

    fsspec.filesystem("memory").pipe("/bucket/videos/100%/a #1 (ü).mp4", VIDEO)
    monkeypatch.setenv("AIRFLOW__VEO__PAGE_ROOTS", "memory://c@bucket/videos")
    record(session, path="memory://no_such_connection@bucket/videos/100%/a #1 (ü).mp4")
    assert admin.get("/api/content", params=key()).content == VIDEO
    monkeypatch.setenv("AIRFLOW__VEO__PAGE_ROOTS", "memory://no_such_connection@bucket/videos")
    assert_not_served(admin)


@pytest.mark.parametrize("media_type", ["video/mp4", "image/png", "image/jpeg"])
def test_a_file_that_is_not_a_video_is_not_served(session, admin, root, media_type):
    """An author of Dags can write page entries with a proof, but may not read all files that the API server can."""
    config = root / "airflow.cfg"
    config.write_text("[core]\nfernet_key = canary\n" * 100)
    proof = make_proof(io.BytesIO(config.read_bytes()))
    record(session, path=str(config), media_type=media_type, bytes=config.stat().st_size, proof=proof)
    assert_not_served(admin)


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "application/octet-stream", ["video/mp4"], None])
def test_another_media_type_is_not_served(session, admin, root, media_type):
    (root / "a").write_bytes(VIDEO)
    record(session, path=str(root / "a"), media_type=media_type)
    assert_not_served(admin)


@pytest.mark.parametrize("replacement", [VIDEO + b"more", VIDEO[:-1] + b"x", VIDEO[:-1], b""])
def test_a_replaced_file_is_not_served(admin, stored, replacement):
    stored.write_bytes(replacement)
    assert_not_served(admin)


@pytest.mark.parametrize("sha256", [None, 7, "a\r\nSet-Cookie: x=y", "猫"])
def test_a_page_entry_cannot_inject_headers(session, admin, root, sha256):
    (root / "a.mp4").write_bytes(VIDEO)
    record(session, path=str(root / "a.mp4"), sha256=sha256)
    answer = admin.get("/api/content", params=key())
    assert (answer.status_code, answer.headers["etag"]) == (200, f'"{len(VIDEO)}"')


@pytest.mark.parametrize(("index", "status"), [("9" * 30, 422), (2**31, 400), (2**31 - 1, 404), ("٣", 404), ("²", 404)])
def test_an_odd_map_index_is_refused(session, admin, index, status):
    assert admin.get("/api/task", params=key(map_index=index)).status_code == status


@pytest.mark.parametrize("route", ["/api/tasks", "/api/summary"])
@pytest.mark.parametrize(
    "wanted",
    [
        {"since": "0001-01-01T00:00:00+14:00"},
        {"until": "9999-12-31T23:59:59-14:00"},
        {"model": "a\0"},
        {"dag_id": "\0"},
    ],
)
def test_values_that_the_database_cannot_take_are_refused(admin, route, wanted):
    answer = admin.get(route, params=wanted)
    assert answer.status_code == 400
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("route", ["/api/task", "/api/content"])
@pytest.mark.parametrize("name", ["dag_id", "run_id", "task_id"])
def test_names_with_a_nul_are_refused(admin, route, name):
    assert admin.get(route, params=key() | {name: "a\0b"}).status_code == 400


def test_an_unreadable_storage_is_logged_and_not_served(session, admin, monkeypatch, caplog):
    monkeypatch.setenv("AIRFLOW__VEO__PAGE_ROOTS", "x://y")
    record(session, path="x://y/a.mp4")
    with caplog.at_level("INFO"):
        assert_not_served(admin)
    assert "Not played: 'x://y/a.mp4'" in caplog.text


@pytest.mark.parametrize(
    "outcome", [{"path": 7}, {"path": "/a.mp4", "bytes": None}, {"path": "/a.mp4", "media_type": ["video/mp4"]}]
)
def test_page_entries_of_a_wrong_shape_are_listed_but_not_served(session, admin, outcome):
    record(session, **outcome)
    assert_not_served(admin)
    assert admin.get("/api/tasks").status_code == 200


def test_odd_page_entries_do_not_break_the_page(session, admin):
    """Users may write such values with Airflow's API, NaN and half an emoji included."""
    good = {
        ORDER_KEY: page.describe_order("a cat", "m", GENERIC),
        OUTCOME_KEY: {"videos": ["v"], "of": "v", "path": "/v/a", **STORED},
    }
    tasks = [("create", -1, "success", good | {"progress": "x 1 %"})]
    for name, body in good.items():
        for place, odd, copy in with_odd_leaves(body):
            if len(str(odd)) < 1_000_000 or place == "path":
                tasks.append(("odd", len(tasks), "success", good | {name: copy}))
    page_entries.add_run(session, "videos", RUN, tasks)
    seen = set()
    for number in range(1, len(tasks) // PAGE_SIZE + 2):
        answer = admin.get("/api/tasks", params={"page": number}).raise_for_status()
        seen |= {one["map_index"] for one in answer.json()["tasks"]}
        assert len(answer.content) < 3_000_000
    assert len(seen) == len(tasks)
    totals = admin.get("/api/summary").raise_for_status().json()["totals"]
    assert totals["completed"] == len(tasks)
    assert admin.get("/api/summary", params={"model": "m"}).json()["totals"]["completed"] > 100


def test_one_nan_does_not_break_the_sums(session, admin):
    notes = page_entries.notes_of(0)
    broken = {ORDER_KEY: notes[ORDER_KEY] | {"estimated_cost_usd": float("nan")}, OUTCOME_KEY: notes[OUTCOME_KEY]}
    tasks = [("good", -1, "success", notes), ("broken", -1, "success", broken)]
    page_entries.add_run(session, "videos", RUN, tasks)
    summary = admin.get("/api/summary").raise_for_status().json()
    assert (summary["totals"]["tasks"], summary["models"]) == (2, [notes[ORDER_KEY]["model"]])
    shown = admin.get("/api/tasks").json()["tasks"]
    assert {one["prompt"] for one in shown} == {notes[ORDER_KEY]["prompt"]}


FIGURES = ("estimated_cost_usd", "generation_seconds")


def test_page_entries_that_are_not_objects_do_not_break_the_page(session, admin):
    """An XCom with the provider's key may hold any value."""
    strange = {"prompt": 7, "model": {}, "videos": "two"}
    tasks = [
        ("create", -1, "success", {ORDER_KEY: "text", OUTCOME_KEY: [1, 2]}),
        ("strange", -1, "success", {ORDER_KEY: strange, OUTCOME_KEY: dict.fromkeys(FIGURES, "many")}),
        ("good", -1, "success", page_entries.notes_of(0)),
    ]
    page_entries.add_run(session, "videos", RUN, tasks)
    shown = admin.get("/api/tasks").raise_for_status().json()["tasks"]
    assert [(one["prompt"], one["media"]) for one in shown if one["task_id"] != "good"] == [(None, [])] * 2
    totals = admin.get("/api/summary").raise_for_status().json()["totals"]
    assert (totals["tasks"], totals["estimated_cost_usd"], totals["mean_generation_seconds"]) == (3, 0.15, 60.0)
    assert_not_served(admin)
