"""The places in Airflow's UI that show videos: links, tabs and Overview, of plain, mapped, looped and derived tasks."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from airflow_provider_veo.version_compat import AIRFLOW_V_3_4_PLUS
from dev.waiting import wait_until
from tests.page.constants import TIMEOUT
from tests.page.steps import card, cards, figure, frame_of, gallery, in_airflow, see, task_view

since_3_4 = pytest.mark.skipif(not AIRFLOW_V_3_4_PLUS, reason="since Airflow 3.4")
before_3_4 = pytest.mark.skipif(AIRFLOW_V_3_4_PLUS, reason="before Airflow 3.4")

LOOPED = {
    "takes.one · pass 0": "A harbour, pass 0",
    "takes.one · pass 1": "A harbour, pass 1",
    "takes.two [0] · pass 0": "A kite over the dunes, pass 0",
    "takes.two [0] · pass 1": "A kite over the dunes, pass 1",
    "takes.two [1] · pass 0": "A crab, pass 0",
    "takes.two [1] · pass 1": "A crab, pass 1",
}
"""The prompt of each task instance of the Dag `looped`, by the name that the page shows."""


def looped(lab, more_runs):
    """Return the task instances of the Dag `looped`, by the name that the page shows."""
    path = f"/dags/looped/dagRuns/{more_runs['looped']}/taskInstances"
    found = {}
    for one in lab.get(path)["task_instances"]:
        index = "" if one["map_index"] < 0 else f" [{one['map_index']}]"
        found[f"{one['task_id']}{index} · pass {one['loop_iteration']['iteration']}"] = one
    return found


def region_of(instance):
    return urlencode({name: instance[name] for name in ("region_id", "region_index")})


def task_of(instance):
    mapped = "" if instance["map_index"] < 0 else f"/mapped/{instance['map_index']}"
    return f"{instance['task_id']}{mapped}"


def open_tab(page):
    page.get_by_role("link", name="Video", exact=True).click()
    return in_airflow(page)


def about(place):
    return place.get_by_label("About this task")


@since_3_4
def test_the_gallery_distinguishes_the_tasks_of_a_loop(visit, more_runs, shoot, axe):
    page = visit()
    gallery(page, dag_id="looped")
    expect(cards(page)).to_have_count(len(LOOPED))
    expect(figure(page, "Videos")).to_have_text(str(len(LOOPED)))
    for name, prompt in LOOPED.items():
        expect(card(page, prompt)).to_have_count(1)
        expect(card(page, prompt).get_by_title("Task").first).to_have_text(name)
        see(card(page, prompt).locator("video"))
    assert axe(page) == []
    page.evaluate("scrollTo(0, 0)")
    shoot(page, "looped")


@since_3_4
def test_the_link_of_each_pass_leads_to_its_video(lab, visit, more_runs, shoot):
    page = visit()
    instances = looped(lab, more_runs)
    for name, prompt in LOOPED.items():
        one = instances[name]
        where = f"/dags/looped/dagRuns/{more_runs['looped']}/taskInstances/{one['task_id']}/links"
        link = lab.get(f"{where}?map_index={one['map_index']}&{region_of(one)}")["extra_links"]["Video"]
        page.goto(link)
        frame = in_airflow(page)
        expect(frame.get_by_role("heading", name=name, exact=True)).to_be_visible()
        expect(about(frame)).to_contain_text(prompt)
        see(frame.locator("video"))
    shoot(page, "looped_link")


@since_3_4
def test_the_tab_of_each_pass_shows_its_video(lab, visit, more_runs, shoot):
    page = visit()
    instances = looped(lab, more_runs)
    for name, prompt in LOOPED.items():
        one = instances[name]
        task_view(page, "looped", more_runs["looped"], f"{task_of(one)}?{region_of(one)}")
        frame = open_tab(page)
        expect(frame.get_by_role("heading", name=name, exact=True)).to_be_visible()
        expect(about(frame)).to_contain_text(prompt)
        see(frame.locator("video"))
    shoot(page, "looped_tab")


@since_3_4
def test_the_tab_follows_when_another_pass_is_chosen(lab, visit, more_runs):
    page = visit()
    one = looped(lab, more_runs)["takes.one · pass 0"]
    task_view(page, "looped", more_runs["looped"], f"takes.one?{region_of(one)}")
    frame = open_tab(page)
    expect(about(frame)).to_contain_text("A harbour, pass 0")
    page.get_by_role("button", name="Switch iteration").click()
    page.get_by_test_id("switch-iteration-popover").get_by_text("1", exact=True).click()
    expect(about(frame)).to_contain_text("A harbour, pass 1")
    expect(frame.get_by_role("heading", name="takes.one · pass 1", exact=True)).to_be_visible()


@since_3_4
def test_the_gallery_links_to_the_log_of_each_pass(visit, more_runs):
    page = visit()
    page.goto("plugin/veo?dag_id=looped")
    card(in_airflow(page), "A crab, pass 1").get_by_role("link", name="Log").click()
    page.wait_for_url(re.compile(r"/tasks/takes\.two/mapped/1\?region_id=[\w-]+&region_index=1&try_number=1$"))
    expect(page.get_by_text("Summary: video ")).to_be_visible()


def test_the_tab_of_a_mapped_task_shows_its_video(visit, runs, shoot):
    page = visit()
    task_view(page, "nasty", runs["nasty"], "create/mapped/3")
    frame = open_tab(page)
    expect(frame.get_by_role("heading", name="create [3]", exact=True)).to_be_visible()
    expect(about(frame)).to_contain_text("猫在灯塔上看海")
    shoot(page, "mapped_tab")
    frame.get_by_role("link", name="All videos").click()
    page.wait_for_url(re.compile(r"/plugin/veo$"))


def test_a_derived_operator_has_the_tab(visit, more_runs):
    page = visit()
    task_view(page, "own", more_runs["own"], "create")
    frame = open_tab(page)
    expect(about(frame)).to_contain_text("A tram climbs a hill")
    see(frame.locator("video"))


@since_3_4
def test_operators_of_others_have_neither_the_tab_nor_the_videos(lab, visit):
    run_id = lab.trigger("probe")
    wait_until("the run", lambda: lab.run_state("probe", run_id) == "success", TIMEOUT)
    page = visit()
    task_view(page, "probe", run_id, "probe")
    expect(page.get_by_role("link", name="Details", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Video", exact=True)).to_have_count(0)
    page.goto("dags/probe/tasks/probe")
    expect(page.get_by_role("link", name="Overview", exact=True)).to_be_visible()
    expect(page.get_by_title("Videos of this task")).to_have_count(0)


@since_3_4
@pytest.mark.parametrize(
    ("dag_id", "task_id", "prompts"),
    [
        ("clips", "lighthouse", ["A lighthouse in a storm"]),
        ("own", "create", ["A tram climbs a hill"]),
        ("looped", "takes.one", ["A harbour, pass 0", "A harbour, pass 1"]),
        ("nasty", "create", ["<img src=x", "right to left", "Wörter", "猫在灯塔上看海"]),
    ],
)
def test_the_overview_of_a_task_shows_its_videos(visit, more_runs, dag_id, task_id, prompts, shoot, axe):
    page = visit()
    page.goto(f"dags/{dag_id}/tasks/{task_id}")
    frame = page.frame_locator("iframe[title='Videos of this task']")
    expect(cards(frame)).to_have_count(len(prompts))
    for prompt in prompts:
        expect(card(frame, prompt)).to_be_visible()
    for video in frame.locator("video").all():
        see(video)
    expect(frame.get_by_role("heading", name="Veo videos")).to_be_hidden()
    expect(frame.get_by_label("Dag", exact=True)).to_be_hidden()
    frame.get_by_label("Status").select_option("failed")
    expect(frame.get_by_text("No task matches this filter.")).to_be_visible()
    frame.get_by_role("button", name="Clear filter").click()
    expect(cards(frame)).to_have_count(len(prompts))
    page.wait_for_timeout(500)  # the frame follows the height of its content
    assert page.get_by_title("Videos of this task").evaluate("frame => frame.clientHeight") > 300
    assert axe(frame_of(page)) == []
    page.evaluate("scrollTo(0, 0)")
    shoot(page, f"overview_{dag_id}")


@since_3_4
def test_airflow_keeps_the_page_if_the_videos_of_the_overview_fail(visit, more_runs):
    page = visit(refusals=True)
    page.route("**/veo/static/overview.js", lambda route: route.abort())
    page.goto("dags/own/tasks/create")
    expect(page.get_by_role("link", name="Task Instances", exact=True)).to_be_visible()
    expect(page.get_by_title("Videos of this task")).to_have_count(0)
    page.get_by_role("link", name="Veo", exact=True).click()
    expect(cards(in_airflow(page)).first).to_be_visible()


@since_3_4
def test_every_try_of_a_task_can_be_seen(visit, more_runs, shoot, axe):
    page = visit()
    task = {"dag_id": "tries", "run_id": more_runs["tries"], "task_id": "create", "map_index": -1}
    page.goto(f"plugin/veo?{urlencode(task | {'try_number': 1})}")
    frame = in_airflow(page)
    tries = frame.get_by_role("navigation", name="Tries")
    expect(about(frame)).to_contain_text("as try 1 wants it")
    expect(about(frame)).to_contain_text("balloon_1.mp4")
    expect(frame.get_by_role("note")).to_have_text("This is try 1. Try 2 came later.")
    expect(tries.get_by_role("link", name="Try 1")).to_have_attribute("aria-current", "page")
    see(frame.locator("video"))
    assert axe(frame_of(page)) == []
    shoot(page, "earlier_try")
    tries.get_by_role("link", name="Try 2").click()
    expect(about(frame)).to_contain_text("as try 2 wants it")
    expect(frame.get_by_role("note")).to_be_hidden()
    see(frame.locator("video"))
    tries.get_by_role("link", name="Try 1").click()
    expect(about(frame)).to_contain_text("as try 1 wants it")


@before_3_4
def test_before_airflow_3_4_only_the_latest_try_can_be_seen(visit, more_runs):
    page = visit()
    task = {"dag_id": "tries", "run_id": more_runs["tries"], "task_id": "create", "map_index": -1}
    page.goto(f"veo/task?{urlencode(task | {'try_number': 1})}")
    expect(about(page)).to_contain_text("as try 2 wants it")
    expect(page.get_by_role("note")).to_contain_text("try 2, which came later")
    expect(page.get_by_role("navigation", name="Tries")).to_be_hidden()


def test_the_gallery_shows_the_latest_try_only(visit, more_runs):
    page = visit()
    gallery(page, dag_id="tries")
    expect(cards(page)).to_have_count(1)
    expect(card(page, "as try 2 wants it")).to_be_visible()
    expect(figure(page, "Videos")).to_have_text("1")


def test_a_filter_selects_a_task(visit, more_runs):
    page = visit()
    gallery(page, dag_id="clips")
    expect(cards(page)).to_have_count(2)
    page.get_by_label("Task", exact=True).fill("cat")
    page.keyboard.press("Enter")
    expect(cards(page)).to_have_count(1)
    expect(cards(page)).to_contain_text("一只猫在窗台上打哈欠")
    expect(figure(page, "Videos")).to_have_text("1")
    page.reload()
    expect(page.get_by_label("Task", exact=True)).to_have_value("cat")
    expect(cards(page)).to_have_count(1)
    page.get_by_role("button", name="Clear filter").click()
    expect(page.get_by_label("Task", exact=True)).to_have_value("")


def test_an_uncollected_video_is_named(visit, history, address, shoot, axe):
    page = visit()
    gallery(page, dag_id="uncollected")
    expect(cards(page)).to_contain_text("Paid, not collected: video video_7")
    expect(cards(page)).to_contain_text("A retry collects video_7.")
    assert axe(page) == []
    page.goto(address("uncollected", run_id="r"))
    expect(about(page)).to_contain_text("Video video_7. The error says how to collect it.")
    expect(about(page)).to_contain_text("A retry collects video_7.")
    assert axe(page) == []
    shoot(page, "uncollected")


def test_airflow_accepts_all_views(lab):
    plugins = {plugin["name"]: plugin for plugin in lab.get("/plugins")["plugins"]}
    assert [view["name"] for view in plugins["veo"]["external_views"]] == ["Veo", "Video"]
    apps = [app["destination"] for app in plugins["veo_overview"]["react_apps"]]
    assert apps == (["task_overview"] if AIRFLOW_V_3_4_PLUS else [])
