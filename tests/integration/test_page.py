"""The page's application in Airflow's own API server, with real log-ins, a real database and real files."""

from __future__ import annotations

import json
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_veo.records import ORDER_KEY, OUTCOME_KEY, PAGE_EXISTS

if not PAGE_EXISTS:
    pytest.skip("Airflow shows pages of plugins since 3.1", allow_module_level=True)

import generations
from boxes import film
from fastapi.testclient import TestClient
from sqlalchemy import event

from airflow_provider_veo import ui
from airflow_provider_veo.ui.queries import PAGE_SIZE

FILM = film(bytes(5000))
RUN = "manual__2026-03-01T12:00:00+00:00"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return Airflow's API server as an application, with an administrator and a viewer who may not see all Dags."""
    from airflow.api_fastapi import app as airflow_app
    from airflow.utils.db import initdb

    folder = tmp_path_factory.mktemp("page")
    (folder / "passwords.json").write_text(json.dumps({"admin": "admin", "vera": "vera"}))
    settings = {
        "AIRFLOW__CORE__AUTH_MANAGER": "rights.RightsByDag",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,vera:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of at least sixty-four bytes, which nobody knows but this test",
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
        generations.empty(session)
        yield session
        generations.empty(session)


@pytest.fixture
def stored(session, tmp_path):
    """Put a video where a task has recorded it, and return its path."""
    path = tmp_path / "猫 film.mp4"
    path.write_bytes(FILM)
    record(session, path=str(path))
    return path


def record(session, *, dag_id="films", task_id="create", map_index=-1, state="success", order=True, **outcome):
    if "path" in outcome:
        outcome = {"bytes": len(FILM), "sha256": "5" * 64, "media_type": "video/mp4"} | outcome
    notes = {OUTCOME_KEY: outcome} if outcome else {}
    if order:
        notes[ORDER_KEY] = {"prompt": "p", "model": "m", "size": None, "videos": 1}
    generations.add_run(session, dag_id, RUN, [(task_id, map_index, state, notes)])


def key(dag_id="films", task_id="create", map_index=-1, **more):
    return {"dag_id": dag_id, "run_id": RUN, "task_id": task_id, "map_index": map_index, **more}


ROUTES = ("/", "/task", "/static/gallery.js", "/api/generations", "/api/summary", "/api/task", "/api/content")


def test_the_routes_are_these_and_change_nothing():
    from airflow_provider_veo.ui.app import app

    paths = {route.path.replace("{name}", "gallery.js"): route.methods for route in app.routes}
    assert set(paths) == set(ROUTES)
    assert set().union(*paths.values()) == {"GET"}


@pytest.mark.parametrize("route", ROUTES)
def test_nobody_sees_anything_without_logging_in(server, clients, stored, route):
    answer = TestClient(server).get(f"/veo{route}", params=key())
    assert answer.status_code == 401
    assert FILM[:8] not in answer.content
    assert TestClient(server, headers={"Authorization": "Bearer nonsense"}).get(f"/veo{route}").status_code == 403
    assert TestClient(server, cookies={"_token": "nonsense"}).get(f"/veo{route}").status_code in (401, 403)


@pytest.mark.parametrize("route", ["/api/generations", "/api/summary", "/api/task", "/api/content"])
def test_who_may_not_read_a_dags_tasks_gets_403(session, vera, admin, tmp_path, route):
    (tmp_path / "a.mp4").write_bytes(FILM)
    record(session, dag_id="secret", path=str(tmp_path / "a.mp4"))
    assert vera.get(route, params=key("secret")).status_code == 403
    assert admin.get(route, params=key("secret")).status_code == 200


def test_who_may_not_read_a_dags_tasks_sees_nothing_of_it(session, vera, admin):
    record(session, dag_id="secret")
    record(session, dag_id="films")
    assert [one["dag_id"] for one in vera.get("/api/generations").json()["generations"]] == ["films"]
    seen = vera.get("/api/summary").json()
    assert (seen["dags"], seen["totals"]["generations"]) == (["films"], 1)
    assert admin.get("/api/summary").json()["dags"] == ["films", "secret"]


@pytest.mark.parametrize("route", ROUTES)
def test_headers_are_on_every_answer(admin, stored, route):
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
def test_nothing_but_its_own_files_is_served(admin, name):
    assert admin.get(f"/static/{name}").status_code == 404


def test_pages_are_in_order_and_complete(session, admin):
    generations.add_generations(session, 60)
    pages = [admin.get("/api/generations", params={"page": page}).json() for page in (1, 2, 3, 4)]
    assert [len(page["generations"]) for page in pages] == [PAGE_SIZE, PAGE_SIZE, 60 - 2 * PAGE_SIZE, 0]
    assert [page["more"] for page in pages] == [True, True, False, False]
    shown = [one["map_index"] for page in pages for one in page["generations"]]
    assert shown == list(range(59, -1, -1))


def test_a_full_page_may_be_the_last(session, admin):
    generations.add_generations(session, PAGE_SIZE)
    assert admin.get("/api/generations").json()["more"] is False


def test_filters(session, admin):
    generations.add_generations(session, 30, per_run=10)
    generations.add_generations(session, 5, dag_id="other")
    generations.add_run(
        session, "older", RUN, [("create", -1, "success", generations.notes_of(5))], at=generations.START - timedelta(1)
    )
    day = {"since": generations.START, "until": generations.START + timedelta(minutes=10)}

    def count(**wanted):
        summary = admin.get("/api/summary", params=wanted).json()
        listed = admin.get("/api/generations", params=wanted).json()["generations"]
        assert len(listed) == min(PAGE_SIZE, summary["totals"]["generations"])
        return summary["totals"]["generations"]

    assert count() == 36
    assert count(dag_id="films") == 30
    assert count(dag_id="nosuch") == 0
    assert count(status="failed") == 7
    assert count(status="in_progress", dag_id="films") == 6
    assert count(model="sora-9") == 12
    assert count(**{name: value.isoformat() for name, value in day.items()}) == 15
    assert count(model="veo-3.1-fast", status="completed", dag_id="other") == 1


def test_totals(session, admin):
    generations.add_generations(session, 10)
    record(session, dag_id="chat", videos=["url-1", "url-2"], estimated_cost_usd=0.3)
    totals = admin.get("/api/summary").json()["totals"]
    assert (totals["completed"], totals["failed"], totals["in_progress"]) == (7, 2, 2)
    assert totals["success_rate"] == pytest.approx(7 / 9)
    prices = {"veo-3.1-fast": 0.15, "veo-3.1-landscape": 0.25, "sora-9": 0}
    made = [n for n in range(10) if generations.STATES[n % 5] == "success"]
    assert totals["estimated_cost_usd"] == pytest.approx(0.3 + sum(prices[generations.MODELS[n % 3]] for n in made))
    assert totals["mean_generation_seconds"] == pytest.approx(sum(60 + n for n in made) / len(made))


@pytest.mark.parametrize(
    "wanted", [{"page": 0}, {"page": "x"}, {"status": "done"}, {"since": "yesterday"}, {"since": "2026-03-01T00:00:00"}]
)
def test_bad_filters_are_refused(admin, wanted):
    assert admin.get("/api/generations", params=wanted).status_code == 422


def test_what_is_asked_of_the_database_does_not_grow_with_it(session, admin):
    asked = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *args: asked.append(args[2]))

    def statements(path):
        asked.clear()
        admin.get(path, params={"page": 1}).raise_for_status()
        return len(asked)

    generations.add_generations(session, 30)
    few = {path: statements(path) for path in ("/api/generations", "/api/summary")}
    for number in range(5):
        generations.add_generations(session, 200, dag_id=f"dag_{number}", per_run=20)
    assert {path: statements(path) for path in few} == few
    assert max(few.values()) <= 5


def test_a_generation_in_progress(session, admin):
    notes = {ORDER_KEY: {"prompt": "猫", "model": "m", "videos": 1}, "progress": "processing 42 %"}
    generations.add_run(session, "films", RUN, [("create", 3, "deferred", notes)])
    shown = admin.get("/api/task", params=key(map_index=3)).json()
    assert shown["progress"] == {"text": "processing", "percent": 42.0}
    assert (shown["status"], shown["prompt"], shown["media"]) == ("in_progress", "猫", [])
    assert admin.get("/api/generations").json()["generations"] == [shown]


def test_a_task_that_is_not_mapped_is_found_from_airflows_tab(admin, stored):
    found = admin.get("/api/task", params=key(map_index="{MAP_INDEX}"))
    assert found.json()["media"][0]["media_type"] == "video/mp4"


def test_an_unknown_task(admin, session):
    answer = admin.get("/api/task", params=key())
    assert answer.status_code == 404
    assert "no such task instance" in answer.json()["detail"]


def test_a_generation_shows_what_a_download_task_has_stored(session, admin, tmp_path):
    (tmp_path / "a.mp4").write_bytes(FILM)
    order = {"prompt": "p", "model": "m", "videos": 1}
    file = {"path": str(tmp_path / "a.mp4"), "bytes": len(FILM), "sha256": "5" * 64, "media_type": "video/mp4"}
    tasks = [
        ("create", -1, "success", {ORDER_KEY: order, OUTCOME_KEY: {"videos": ["v1", "v2"]}}),
        ("download", 0, "success", {OUTCOME_KEY: {"of": "v1", **file}}),
        ("download", 1, "success", {OUTCOME_KEY: {"of": "v2", **file}}),
    ]
    generations.add_run(session, "films", RUN, tasks)
    same = {ORDER_KEY: order, OUTCOME_KEY: {"videos": ["v1"]}}
    other = [("create", -1, "success", same), ("download", 5, "success", {OUTCOME_KEY: {"of": "v1", **file}})]
    generations.add_run(session, "other", RUN, other)
    shown = {one["dag_id"]: one for one in admin.get("/api/generations").json()["generations"]}
    assert [one["map_index"] for one in shown["other"]["media"]] == [5]
    shown = shown["films"]
    assert [(one["dag_id"], one["task_id"], one["map_index"]) for one in shown["media"]] == [
        ("films", "download", 0),
        ("films", "download", 1),
    ]
    assert admin.get("/api/content", params=shown["media"][1] | {"unused": 1}).content == FILM


def test_the_whole_file(admin, stored):
    answer = admin.get("/api/content", params=key())
    assert (answer.status_code, answer.content) == (200, FILM)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-length"] == str(len(FILM))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-encoding"] == "identity"
    assert answer.headers["content-disposition"] == "inline; filename*=UTF-8''%E7%8C%AB%20film.mp4"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "attachment" in admin.get("/api/content", params=key(save="true")).headers["content-disposition"]


def test_parts_of_the_file(admin, stored):
    def ask(**headers):
        answer = admin.get("/api/content", params=key(), headers={k.replace("_", "-"): v for k, v in headers.items()})
        return answer.status_code, answer.headers.get("content-range"), answer.content

    size, tag = len(FILM), '"' + "5" * 64 + '"'
    assert ask(range="bytes=10-19") == (206, f"bytes 10-19/{size}", FILM[10:20])
    assert ask(range="bytes=-7") == (206, f"bytes {size - 7}-{size - 1}/{size}", FILM[-7:])
    assert ask(range=f"bytes={size}-") == (416, f"bytes */{size}", b"")
    assert ask(range="bytes=10-19", if_range=tag) == (206, f"bytes 10-19/{size}", FILM[10:20])
    assert ask(range="bytes=10-19", if_range='"old"') == (200, None, FILM)
    assert ask(if_none_match=tag) == (304, None, b"")
    assert ask(if_none_match='"old"') == (200, None, FILM)


def test_an_object_of_any_storage(session, admin, memory):
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    path = ObjectStoragePath(f"{memory}/a.mp4")
    path.write_bytes(FILM)
    record(session, path=str(path))
    assert admin.get("/api/content", params=key(), headers={"Range": "bytes=100-"}).content == FILM[100:]


def test_a_picture(session, admin, tmp_path):
    from pictures import picture

    (tmp_path / "a.png").write_bytes(picture())
    record(session, path=str(tmp_path / "a.png"), media_type="image/png", bytes=len(picture()), order=False)
    answer = admin.get("/api/content", params=key())
    assert (answer.headers["content-type"], answer.content) == ("image/png", picture())


def refusal(client, **more):
    answer = client.get("/api/content", params=key(**more))
    return answer.status_code, answer.json()["detail"]


def test_an_address_names_no_file(session, admin, tmp_path):
    (tmp_path / "a.mp4").write_bytes(FILM)
    record(session, videos=["v"])
    assert refusal(admin, path=str(tmp_path / "a.mp4")) == (404, "This task has stored nothing.")


@pytest.mark.parametrize("media_type", ["video/mp4", "image/png", "image/jpeg"])
def test_a_record_opens_no_file_that_is_no_video(session, admin, tmp_path, media_type):
    """Whoever writes Dags can write records, too; the API server may read files that they may not."""
    config = tmp_path / "airflow.cfg"
    config.write_text("[core]\nfernet_key = canary\n" * 100)
    record(session, path=str(config), media_type=media_type, bytes=config.stat().st_size)
    status, complaint = refusal(admin)
    assert (status, "is not the file that this task has stored" in complaint) == (409, True)


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "application/octet-stream"])
def test_a_record_makes_no_other_kind_of_document(session, admin, tmp_path, media_type):
    (tmp_path / "a").write_bytes(FILM)
    record(session, path=str(tmp_path / "a"), media_type=media_type)
    assert refusal(admin)[0] == 415


def test_a_file_that_was_replaced(admin, stored):
    stored.write_bytes(FILM + b"more")
    assert refusal(admin)[0] == 409


def test_a_file_that_is_gone(admin, stored):
    stored.unlink()
    assert refusal(admin) == (410, f"{stored} is not there any more, or not where the API server can see it.")


@pytest.mark.parametrize("sha256", [None, 7, "a\r\nSet-Cookie: x=y", "猫"])
def test_a_record_writes_no_header(session, admin, tmp_path, sha256):
    (tmp_path / "a.mp4").write_bytes(FILM)
    record(session, path=str(tmp_path / "a.mp4"), sha256=sha256)
    answer = admin.get("/api/content", params=key())
    assert (answer.status_code, answer.headers["etag"]) == (200, f'"{len(FILM)}"')


def test_a_map_index_of_any_size_is_refused(session, admin):
    assert admin.get("/api/task", params=key(map_index="9" * 30)).status_code == 422


def test_what_is_no_file_is_not_opened(session, admin, tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    record(session, path=str(tmp_path / "pipe.mp4"))
    assert refusal(admin)[0] == 410


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("s3://b/a.mp4", "pip install 'airflow-provider-veo[s3]'"),
        ("relative.mp4", "[veo] storage"),
        ("x://y", "x"),
    ],
)
def test_a_storage_that_the_api_server_cannot_read(session, admin, path, complaint):
    record(session, path=path)
    status, told = refusal(admin)
    assert (status, complaint in told, "The API server cannot read" in told) == (502, True, True)


@pytest.mark.parametrize(
    "outcome", [{"path": 7}, {"path": "/a.mp4", "bytes": None}, {"path": "/a.mp4", "media_type": ["video/mp4"]}]
)
def test_records_of_a_strange_shape(session, admin, outcome):
    record(session, **outcome)
    assert refusal(admin)[0] == 404
    assert admin.get("/api/generations").status_code == 200


FIGURES = ("estimated_cost_usd", "generation_seconds")


def test_records_that_are_no_objects(session, admin):
    """An XCom of our name may be anything."""
    strange = {"prompt": 7, "model": {}, "videos": "two"}
    tasks = [
        ("create", -1, "success", {ORDER_KEY: "text", OUTCOME_KEY: [1, 2]}),
        ("strange", -1, "success", {ORDER_KEY: strange, OUTCOME_KEY: dict.fromkeys(FIGURES, "many")}),
        ("good", -1, "success", generations.notes_of(0)),
    ]
    generations.add_run(session, "films", RUN, tasks)
    shown = admin.get("/api/generations").raise_for_status().json()["generations"]
    assert [(one["prompt"], one["media"]) for one in shown if one["task_id"] != "good"] == [(None, [])] * 2
    totals = admin.get("/api/summary").raise_for_status().json()["totals"]
    assert (totals["generations"], totals["estimated_cost_usd"], totals["mean_generation_seconds"]) == (3, 0.15, 60.0)
    assert refusal(admin)[0] == 404
