"""Steps of users on the Veo page and in Airflow, which the tests of this suite share."""

from __future__ import annotations

from urllib.parse import urlencode

from playwright.sync_api import expect

LINK = "a[href*='plugin/veo?dag_id']"  # among the extra links of a task, not the tab of the same name


def gallery(page, **wanted):
    page.goto(f"veo/?{urlencode(wanted)}")
    return cards(page)


def cards(page):
    return page.get_by_role("list", name="Tasks").locator("> li")


def card(page, text):
    return cards(page).filter(has_text=text)


def choice(page, name):
    return page.locator(f"select[name={name}]")


def figure(page, name):
    return page.get_by_label("Totals").locator("div", has_text=name).locator("dd")


def in_airflow(page):
    return page.frame_locator("iframe")


def frame_of(page):
    return next(frame for frame in page.frames if "/veo/" in frame.url and frame != page.main_frame)


def see(video):
    """Wait for the picture of a video, which is loaded when it comes into view."""
    video.scroll_into_view_if_needed()
    expect(video).to_have_js_property("readyState", 4)


def task_view(page, dag_id, run_id, task):
    page.goto(f"dags/{dag_id}/runs/{run_id.replace('+', '%2B')}/tasks/{task}")


def followed(page):
    """Follow the link of a task, for which Airflow before 3.2 opens a new tab, and return the page that it opens."""
    link = page.locator(LINK)
    if link.get_attribute("target") != "_blank":
        link.click()
        return page
    with page.context.expect_page() as opened:
        link.click()
    return opened.value
