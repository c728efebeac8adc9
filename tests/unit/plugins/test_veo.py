"""The plugin that Airflow's plugin manager loads."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from airflow_provider_veo.decorators.video import VeoVideoDecoratedOperator
from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.operators.media import VeoConcatOperator, VeoExtractFrameOperator
from airflow_provider_veo.plugins import veo
from airflow_provider_veo.sensors.video import VeoVideoSensor
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS, AIRFLOW_V_3_4_PLUS

STATIC = Path(veo.__file__).parents[1] / "ui" / "static"
WITH_LINK = (
    VeoCreateVideoOperator,
    VeoVideoDecoratedOperator,
    VeoDownloadOperator,
    VeoChatCompletionOperator,
    VeoExtractFrameOperator,
    VeoConcatOperator,
)
has_page = pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="Airflow shows pages of plugins since 3.1")


@pytest.mark.skipif(AIRFLOW_V_3_1_PLUS, reason="before Airflow 3.1")
def test_before_airflow_3_1_there_is_neither_page_nor_link():
    assert not VeoCreateVideoOperator.operator_extra_links
    assert not getattr(veo.VeoPlugin, "fastapi_apps", None)
    assert not getattr(veo.VeoPlugin, "external_views", None)


@pytest.mark.parametrize("plugin", [veo.VeoPlugin, veo.VeoOverviewPlugin])
def test_an_entry_point_names_each_plugin(plugin):
    (found,) = entry_points(group="airflow.plugins", name=plugin.name)
    assert found.load() is plugin


@has_page
def test_the_page_is_in_the_navigation(monkeypatch):
    monkeypatch.setattr(veo, "AIRFLOW_V_3_4_PLUS", False)
    (page,) = veo._list_views()
    assert (page["name"], page["destination"], page["href"]) == ("Veo", "nav", "veo/")
    for icon in (page["icon"], page["icon_dark_mode"]):
        assert (STATIC / icon.removeprefix("veo/static/")).exists()


@has_page
@pytest.mark.parametrize("version_has_it", [True, False])
def test_the_tab_is_shown_if_airflow_can_limit_it_or_if_it_is_configured(monkeypatch, version_has_it):
    monkeypatch.setattr(veo, "AIRFLOW_V_3_4_PLUS", version_has_it)
    monkeypatch.setenv("AIRFLOW__VEO__TASK_TAB", str(not version_has_it))
    _, tab = veo._list_views()
    assert tab["destination"] == "task_instance"
    assert tab["href"].startswith("veo/task?dag_id={DAG_ID}&")
    assert tab["applies_to"] == {"task.ui_color": list(veo.COLORS)}


def test_the_operators_with_the_link_have_colors_of_their_own():
    assert {operator.ui_color for operator in WITH_LINK} == set(veo.COLORS)
    assert VeoVideoSensor.ui_color not in veo.COLORS


def test_a_derived_operator_has_the_color_of_its_parent():
    class Derived(VeoCreateVideoOperator):
        pass

    assert Derived(task_id="t", prompt="p").ui_color in veo.COLORS


@pytest.mark.skipif(not AIRFLOW_V_3_4_PLUS, reason="since Airflow 3.4")
def test_the_videos_of_a_task_are_in_its_overview():
    (app,) = veo.VeoOverviewPlugin.react_apps
    assert (app["destination"], app["applies_to"]) == ("task_overview", {"task.ui_color": list(veo.COLORS)})
    assert (STATIC / app["bundle_url"].removeprefix("veo/static/")).exists()


@pytest.mark.skipif(AIRFLOW_V_3_4_PLUS, reason="before Airflow 3.4")
def test_before_airflow_3_4_nothing_is_in_the_overview():
    assert not getattr(veo.VeoOverviewPlugin, "react_apps", None)


async def test_the_first_request_imports_the_application(monkeypatch):
    asked = []

    class Application:
        @staticmethod
        async def app(*request):
            asked.append(request)

    lazy = veo.LazyApp("veo_test_application")
    monkeypatch.setitem(sys.modules, "veo_test_application", Application)
    await lazy(1, 2, 3)
    await lazy(4, 5, 6)
    assert asked == [(1, 2, 3), (4, 5, 6)]
