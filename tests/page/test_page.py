"""The Veo page as users see it, in a real Airflow with scheduler, triggerer and API server, and in Chromium."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import expect

from dev.waiting import wait_until
from tests.page.constants import KEY, LONG_ERROR, RUNS, SHOWS_PROGRESS, TIMEOUT
from tests.page.steps import card, cards, choice, figure, followed, frame_of, gallery, in_airflow, see, task_view
from tests.support import page_entries

NASTY_TASKS = [("nasty", "create", 0), ("nasty", "create", 1), ("nasty", "create", 2), ("nasty_model",), ("refused",)]
NARROW = {"width": 390, "height": 844}


# this test must be the first: afterwards there are videos
def test_an_empty_page_says_what_to_do(lab, visit, shoot, axe):
    page = visit()
    page.goto("veo/")
    expect(page.get_by_role("heading", name="No videos yet")).to_be_visible()
    expect(page.get_by_text("VeoCreateVideoOperator(")).to_be_visible()
    expect(page.get_by_label("Totals")).to_be_hidden()
    assert axe(page) == []
    shoot(page, "empty")


def test_the_page_is_in_airflows_navigation(visit, runs, shoot):
    page = visit()
    page.goto("")
    page.get_by_role("link", name="Veo", exact=True).click()
    frame = in_airflow(page)
    expect(card(frame, "A lighthouse in a storm")).to_be_visible()
    assert re.search(r"/plugin/veo", page.url)
    for text in ("A lighthouse in a storm", "A secret product"):
        see(card(frame, text).locator("video"))
    frame_of(page).evaluate("scrollTo(0, 0)")
    shoot(page, "gallery")


def test_a_card_shows_status_model_shape_length_and_cost(visit, runs):
    page = visit()
    gallery(page)
    lighthouse = card(page, "A lighthouse in a storm")
    for text in ("Completed", "veo-3.1-landscape", "landscape", "4 s", "$0.25", "clips"):
        expect(lighthouse).to_contain_text(text)
    expect(card(page, "一只猫在窗台上打哈欠，清晨的阳光，电影感")).to_contain_text("portrait")
    refused = card(page, "A cat <b>wants</b> in")
    expect(refused).to_contain_text("Failed")
    expect(refused).to_contain_text("Check the API key")
    expect(refused).not_to_contain_text("$")
    expect(card(page, "A glacier melts")).to_contain_text("In progress")
    expect(card(page, "Two dancers").locator("video")).to_have_count(2)
    expect(card(page, "A paper boat").locator("video")).to_have_count(1)


def test_totals_are_shown(visit, runs):
    page = visit()
    gallery(page, day=time.strftime("%Y-%m-%d"))  # the history of other tests is older
    expect(figure(page, "Videos")).to_have_text("10")
    expect(figure(page, "In progress")).to_have_text("1")
    expect(figure(page, "Success rate")).to_have_text("81.8 %")
    expect(figure(page, "Estimated cost")).to_have_text("$1.60")
    expect(figure(page, "Mean job time")).to_have_text(re.compile(r"^[3-6] s$"))


def test_the_progress_of_a_running_job_moves(visit, runs):
    page = visit()
    gallery(page)
    see_progress(card(page, "A glacier melts"))


def see_progress(place):
    """Wait until a progress bar moves. Before Airflow 3.3, check that the bar has no value."""
    bar = place.get_by_role("progressbar")
    if not SHOWS_PROGRESS:
        expect(place).to_contain_text("deferred")
        assert bar.evaluate("bar => bar.position") == -1
        return
    seen = bar.evaluate("bar => bar.value")
    assert 0 < seen < 100
    wait_until("progress", lambda: bar.evaluate("bar => bar.value") > seen, TIMEOUT)
    expect(place).to_contain_text(re.compile(r"(queued|processing) \d+ %"))


def test_a_video_plays_and_seeks(visit, runs):
    page = visit()
    parts = []
    page.on("response", lambda answer: "/api/content" in answer.url and parts.append(answer.status))
    gallery(page)
    lighthouse = card(page, "A lighthouse in a storm")
    lighthouse.get_by_role("button", name="Play").click()
    video = lighthouse.locator("video")
    wait_until("the video to play", lambda: video.evaluate("video => video.currentTime") > 0.3, TIMEOUT)
    shape = video.evaluate("video => [video.videoWidth, video.videoHeight, Math.round(video.duration)]")
    assert shape == [1280, 720, 8]
    video.evaluate("video => { video.currentTime = 6 }")
    wait_until("the video to continue from there", lambda: video.evaluate("video => video.currentTime") > 6.3, TIMEOUT)
    expect(video).to_have_js_property("controls", True)
    assert set(parts) == {206}


def test_an_update_does_not_stop_a_playing_video(visit, runs):
    page = visit()
    gallery(page)
    lighthouse = card(page, "A lighthouse in a storm")
    lighthouse.get_by_role("button", name="Play").click()
    lighthouse.locator("video").evaluate("video => { video.loop = true; window.playing = video }")
    with page.expect_response(re.compile("/api/tasks")):
        pass
    page.wait_for_timeout(500)
    assert page.evaluate("playing.isConnected && !playing.paused")


def test_times_are_updated(visit, runs):
    page = visit()
    gallery(page, dag_id="slow")
    taken = cards(page).locator(".taken")
    seen = taken.inner_text()
    wait_until("the time taken to grow", lambda: taken.inner_text() != seen, TIMEOUT)
    page.clock.install()
    page.reload()
    expect(cards(page)).to_have_count(1)
    page.clock.fast_forward("02:00:00")
    expect(cards(page).locator("time")).to_have_text("2 hours ago")


def test_filters_select_jobs(visit, runs, history):
    page = visit()
    gallery(page)
    choice(page, "dag_id").select_option("clips")
    expect(cards(page)).to_have_count(2)
    expect(figure(page, "Videos")).to_have_text("2")
    choice(page, "model").select_option("veo-3.1-fast")
    expect(cards(page)).to_have_count(1)
    page.reload()
    expect(cards(page)).to_have_count(1)
    expect(choice(page, "dag_id")).to_have_value("clips")
    choice(page, "status").select_option("failed")
    expect(page.get_by_text("No task matches this filter.")).to_be_visible()
    page.get_by_role("button", name="Clear filter").click()
    expect(cards(page)).to_have_count(24)
    choice(page, "status").select_option("in_progress")
    choice(page, "dag_id").select_option("slow")
    expect(cards(page)).to_have_count(1)
    page.get_by_role("button", name="Clear filter").click()
    page.get_by_label("Day").fill(page_entries.START.strftime("%Y-%m-%d"))
    expect(figure(page, "Videos")).to_have_text("60")
    page.get_by_label("Day").fill((page_entries.START + timedelta(days=1)).strftime("%Y-%m-%d"))
    expect(page.get_by_text("No task matches this filter.")).to_be_visible()


def test_a_search_that_stopped_says_how_far_it_went_and_goes_on(visit, runs):
    page = visit()

    def stop_early(route):
        answer = route.fetch()
        early = {"searched_until": "2026-03-01T12:00:00+00:00", "continue_before": 2**30}
        found = answer.json()
        route.fulfill(response=answer, json=found if "before=" in route.request.url else found | early)

    page.route("**/veo/api/tasks?*", stop_early)
    gallery(page, dag_id="clips")
    expect(page.get_by_text("The search went back to the Dag runs of Mar 1, 2026")).to_be_visible()
    with page.expect_request(re.compile(r"/api/tasks\?.*before=1073741824")):
        page.get_by_role("button", name="Search older runs").click()
    expect(page.get_by_role("button", name="Search older runs")).to_be_hidden()
    expect(cards(page)).to_have_count(2)


def test_pages_can_be_turned(visit, runs, history):
    page = visit()
    gallery(page, dag_id="history")
    expect(page.get_by_text("Page 1 of 5")).to_be_visible()
    expect(cards(page).first).to_contain_text("prompt 99:")
    expect(page.get_by_role("button", name="Newer")).to_be_disabled()
    seen = []
    for number in range(1, 6):
        expect(page.get_by_text(f"Page {number} of 5")).to_be_visible()
        expect(cards(page)).to_have_count(24 if number < 5 else 4)
        expect(cards(page).first).to_contain_text(f"prompt {99 - 24 * (number - 1)}:")
        seen += [int(re.search(r"prompt (\d+):", text)[1]) for text in cards(page).all_inner_texts()]
        if number < 5:
            page.get_by_role("button", name="Older").click()
    assert seen == list(range(99, -1, -1))
    expect(page.get_by_role("button", name="Older")).to_be_disabled()
    page.get_by_role("button", name="Newer").click()
    expect(page.get_by_text("Page 4 of 5")).to_be_visible()


def test_a_viewer_sees_nothing_of_a_dag_without_rights(lab, guarded, visit, runs):
    page = visit("vera", server=guarded)
    gallery(page)
    expect(card(page, "A lighthouse in a storm")).to_be_visible()
    expect(card(page, "A secret product")).to_have_count(0)
    assert "secret" not in choice(page, "dag_id").inner_text()
    everything = httpx.get(
        f"{lab.url}/veo/api/summary", headers={"Authorization": f"Bearer {lab.token(('admin', 'admin'))}"}
    )
    expect(figure(page, "Videos")).to_have_text(str(everything.json()["totals"]["videos"] - 1))
    wanted = urlencode({"dag_id": "secret", "run_id": runs["secret"], "task_id": "create"})
    headers = {"Authorization": f"Bearer {lab.token(('vera', 'vera'))}"}
    for route in ("tasks", "summary", "task", "content"):
        assert httpx.get(f"{guarded}/veo/api/{route}?{wanted}", headers=headers).status_code == 403


def test_the_page_works_below_a_path(guarded, visit, runs, address):
    page = visit("vera", server=guarded)
    page.goto("")
    page.get_by_role("link", name="Veo", exact=True).click()
    lighthouse = card(in_airflow(page), "A lighthouse in a storm")
    see(lighthouse.locator("video"))
    lighthouse.get_by_role("link", name="Open").click()
    expect(in_airflow(page).get_by_role("heading", name="lighthouse")).to_be_visible()
    in_airflow(page).get_by_role("link", name="Log").click()
    page.wait_for_url(re.compile(r"/airflow/dags/clips/runs/"))
    task_view(page, "clips", runs["clips"], "lighthouse/details")
    see(in_airflow(followed(page)).locator("video"))


def test_a_page_of_a_dag_without_rights_says_so(guarded, visit, address):
    page = visit("vera", server=guarded, refusals=True)
    page.goto(address("secret"))
    expect(page.get_by_role("status")).to_have_text("You may not read the tasks of this Dag.")


@pytest.mark.parametrize("path", ["", "task", "static/gallery.js", "api/tasks", "api/task", "api/content"])
def test_every_route_needs_a_login(lab, runs, path):
    wanted = {"dag_id": "clips", "run_id": runs["clips"], "task_id": "lighthouse"}
    answer = httpx.get(f"{lab.url}/veo/{path}", params=wanted)
    assert answer.status_code == 401
    assert len(answer.content) < 100


def test_no_answer_shows_the_key_of_the_gateway(lab, visit, runs):
    page = visit()
    answers = []
    page.on("response", lambda answer: "/veo/" in answer.url and answers.append(answer))
    gallery(page)
    expect(cards(page).first).to_be_visible()
    texts = [answer.text() for answer in answers if "/content" not in answer.url]
    assert any("A lighthouse" in text for text in texts)
    assert not [text for text in texts if KEY in text]
    assert not [answer.url for answer in answers if KEY in f"{answer.url} {answer.request.headers}"]


def test_links_lead_back_into_airflow(visit, runs):
    page = visit()
    for name, expected in {
        "clips": r"/dags/clips$",
        "Run": rf"/dags/clips/runs/{re.escape(runs['clips'].replace(':', '%3A').replace('+', '%2B'))}$",
        "Task": r"/tasks/lighthouse/details$",
        "Log": r"/tasks/lighthouse\?try_number=\d$",
    }.items():
        page.goto("plugin/veo")
        card(in_airflow(page), "A lighthouse in a storm").get_by_role("link", name=name, exact=True).click()
        page.wait_for_url(re.compile(expected))
    expect(page.get_by_text("Summary: video ")).to_be_visible()


def test_a_card_of_a_mapped_task_links_to_its_log(visit, runs):
    page = visit()
    page.goto("plugin/veo")
    card(in_airflow(page), "猫在灯塔上看海").get_by_role("link", name="Log").click()
    page.wait_for_url(re.compile(r"/tasks/create/mapped/3\?(region_id=[\w-]+&region_index=3&)?try_number=\d$"))
    expect(page.get_by_text("Summary: video ")).to_be_visible()


def test_the_link_of_a_deferred_task_shows_its_progress(visit, runs, shoot):
    page = visit()
    task_view(page, "slow", runs["slow"], "create/details")
    shoot(page, "task_view")
    page = followed(page)
    frame = in_airflow(page)
    see_progress(frame.locator(".player"))
    expect(frame.get_by_role("heading", name="create")).to_be_visible()
    shoot(page, "task_in_progress")


def test_the_link_of_a_stored_video_plays_it(visit, runs, shoot):
    page = visit()
    task_view(page, "clips", runs["clips"], "lighthouse/details")
    page = followed(page)
    frame = in_airflow(page)
    frame.get_by_role("button", name="Play").click()
    wait_until(
        "the video to play", lambda: frame.locator("video").evaluate("video => video.currentTime") > 0.3, TIMEOUT
    )
    frame.locator("video").evaluate("video => video.pause()")
    expect(frame.get_by_label("About this task")).to_contain_text("lighthouse.mp4")
    shoot(page, "task")
    frame.get_by_role("link", name="All videos").click()
    expect(cards(frame).first).to_be_visible()


def test_each_mapped_index_has_its_own_link(lab, visit, runs):
    page = visit()
    for index, text in ((0, "<img src=x"), (3, "猫在灯塔上看海")):
        path = f"/dags/nasty/dagRuns/{runs['nasty']}/taskInstances/create/links?map_index={index}"
        link = lab.get(path)["extra_links"]["Video"]
        assert f"map_index={index}" in link
        page.goto(f"{link}")
        expect(in_airflow(page).get_by_label("About this task")).to_contain_text(text)


@pytest.mark.parametrize(
    ("dag_id", "task_id", "map_index", "shown"),
    [
        ("clips", "frame", -1, "img"),
        ("clips", "concat", -1, "video"),
        ("late_download", "download", -1, "video"),
        ("late_download", "create", -1, "video"),
        ("chat", "create", -1, "video"),
        ("chat", "download", 1, "video"),
        ("refused", "create", -1, ".why"),
        ("nasty", "create", 1, ".why"),
    ],
)
def test_every_task_of_the_provider_has_a_page(lab, visit, address, dag_id, task_id, map_index, shown, runs):
    path = f"/dags/{dag_id}/dagRuns/{runs[dag_id]}/taskInstances/{task_id}/links?map_index={map_index}"
    assert lab.get(path)["extra_links"]["Video"].startswith("plugin/veo?dag_id=")
    page = visit()
    page.goto(address(dag_id, task_id, map_index))
    media = page.locator(f".media {shown}").first
    expect(media).to_be_visible()
    if shown == "img":
        wait_until("the picture", lambda: media.evaluate("img => img.naturalWidth") == 1280, TIMEOUT)
    if shown == "video":
        see(media)


def test_an_older_link_says_that_a_newer_try_exists(lab, visit, runs, address):
    page = visit()
    latest = lab.get(f"/dags/clips/dagRuns/{runs['clips']}/taskInstances/lighthouse")["try_number"]
    page.goto(address("clips", "lighthouse", try_number=0))  # Airflow has kept no such try
    expect(page.get_by_role("note")).to_contain_text(f"try {latest}, which came later")
    page.goto(address("clips", "lighthouse", try_number=latest))
    expect(page.get_by_label("About this task")).to_contain_text("lighthouse")
    expect(page.get_by_role("note")).to_be_hidden()


def test_the_tab_of_a_task_instance_shows_its_video(visit, runs, shoot):
    page = visit()
    task_view(page, "clips", runs["clips"], "lighthouse")
    page.get_by_role("link", name="Video", exact=True).click()
    frame = in_airflow(page)
    see(frame.locator("video"))
    shoot(page, "task_tab")
    frame.get_by_role("link", name="All videos").click()
    page.wait_for_url(re.compile(r"/plugin/veo"))


def test_an_address_of_an_older_airflow_works(visit, runs):
    page = visit()
    page.goto(f"veo/task?dag_id=clips&run_id={runs['clips']}&task_id=lighthouse&map_index={{MAP_INDEX}}")
    see(page.locator("video"))


def test_a_file_that_is_gone_is_explained(lab, visit, address):
    run_id = lab.trigger("late_download")
    wait_until("the run", lambda: lab.run_state("late_download", run_id) == "success", TIMEOUT)
    Path(lab.result("late_download", run_id, "download")["path"]).unlink()
    page = visit(refusals=True)
    page.goto(address("late_download", "download", run_id=run_id))
    expect(page.get_by_text("was deleted or replaced")).to_be_visible()
    lab.delete_run("late_download", run_id)


@pytest.mark.parametrize("size", [{"width": 1400, "height": 900}, NARROW], ids=["wide", "narrow"])
def test_texts_cannot_inject_html(visit, runs, history, address, size):
    page = visit(**size)

    def check():
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.title() != "broken"
        assert page.locator("main :is(img, script, b)").count() == page.locator("#empty b").count()
        # a text that changes the writing direction does not change that of other texts
        directions = "[...document.querySelectorAll('.foreign')].map((one) => getComputedStyle(one).unicodeBidi)"
        assert set(page.evaluate(directions)) == {"isolate"}

    gallery(page, dag_id="nasty")
    expect(cards(page)).to_have_count(4)
    expect(card(page, "<img src=x onerror=")).to_be_visible()
    expect(card(page, "right to left:")).to_contain_text("and never closed")
    card(page, "Wörter").locator("summary").click()
    assert len(card(page, "Wörter").locator(".whole").inner_text()) == 10_000
    check()
    gallery(page, dag_id="nasty_model")
    expect(card(page, "A model that does not exist").locator(".meta")).to_contain_text("<b>no</b><script>")
    expect(card(page, "A model that does not exist").locator(".why")).to_contain_text("<script>")
    check()
    gallery(page, dag_id="long_error")
    expect(card(page, "A long story").locator(".why")).to_have_text(LONG_ERROR)
    check()
    pages = [address(*task) for task in NASTY_TASKS] + [address("long_error", run_id="r")]
    for path in pages:
        page.goto(path)
        expect(page.get_by_label("About this task").get_by_text("Dag", exact=True)).to_be_visible()
        check()


def test_the_dark_theme_is_accessible(visit, runs, shoot, axe):
    page = visit(theme="dark")
    page.add_init_script("localStorage.setItem('theme', 'dark')")
    page.goto("plugin/veo")
    see(card(in_airflow(page), "A secret product").locator("video"))
    frame = frame_of(page)
    assert frame.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
    assert axe(frame) == []
    frame.evaluate("scrollTo(0, 0)")
    shoot(page, "dark")


def test_the_page_follows_airflows_theme_at_once(visit, runs):
    page = visit()
    page.goto("plugin/veo")
    expect(cards(in_airflow(page)).first).to_be_visible()
    frame = frame_of(page)
    background = "getComputedStyle(document.body).backgroundColor"
    light = frame.evaluate(background)
    page.evaluate("document.documentElement.classList.replace('light', 'dark')")
    wait_until("the dark theme", lambda: frame.evaluate(background) != light, TIMEOUT)
    page.evaluate("document.documentElement.classList.replace('dark', 'light')")
    wait_until("the light theme", lambda: frame.evaluate(background) == light, TIMEOUT)


def test_the_page_fits_a_narrow_screen(visit, runs, address, shoot, axe):
    page = visit(**NARROW)
    gallery(page)
    expect(cards(page).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert axe(page) == []
    shoot(page, "narrow")
    page.goto(address("clips", "lighthouse"))
    expect(page.locator("video")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shoot(page, "narrow_task")


def test_all_pages_are_accessible(visit, runs, history, address, axe):
    page = visit()
    for path in ("veo/", "veo/?page=2", "veo/?dag_id=nasty", "veo/?dag_id=none"):
        page.goto(path)
        expect(page.locator("#cards[aria-busy=false]")).to_be_attached()
        page.wait_for_timeout(500)
        assert axe(page) == [], path
    for path in (address("clips", "lighthouse"), address("slow"), address("refused"), address("nasty", "create", 2)):
        page.goto(path)
        expect(page.locator(".media")).to_be_visible()
        assert axe(page) == [], path


def test_the_page_can_be_used_by_keyboard(visit, runs):
    page = visit()
    gallery(page, dag_id="clips")
    expect(cards(page)).to_have_count(2)

    def tab_to(locator):
        for _ in range(40):
            if locator.evaluate("one => one === document.activeElement"):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"The Tab key never reaches {locator}")

    tab_to(page.get_by_label("Status"))
    page.keyboard.type("Compl")
    lighthouse = card(page, "A lighthouse in a storm")
    tab_to(lighthouse.get_by_role("button", name="Play"))
    page.keyboard.press("Enter")
    video = lighthouse.locator("video")
    wait_until("the video to play", lambda: video.evaluate("video => video.currentTime") > 0.3, TIMEOUT)
    expect(video).to_be_focused()
    tab_to(lighthouse.get_by_role("link", name="Open"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="lighthouse")).to_be_visible()


def test_workers_triggerers_and_dag_processing_load_nothing_of_the_page(lab):
    run_id = lab.trigger("probe")
    wait_until("the run", lambda: lab.run_state("probe", run_id) == "success", TIMEOUT)
    processes = {
        "dag processor": lab.get("/dags/probe")["description"].split(),
        "worker": lab.result("probe", run_id, "probe", "worker"),
        "triggerer": lab.result("probe", run_id, "probe", "triggerer"),
    }
    for name, loaded in processes.items():
        assert loaded, name
        assert [module for module in loaded if module.startswith("airflow_provider_veo.ui")] == [], name
    assert "airflow_provider_veo.plugins.veo" in processes["worker"]


def test_the_slow_run_was_running_all_the_time(lab, runs):
    """The screenshots of progress therefore show a running job."""
    assert set(runs) == set(RUNS)
    assert lab.run_state("slow", runs["slow"]) == "running"
