"""The plugin that Airflow's plugin manager loads."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.plugins import veo
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS

STATIC = Path(veo.__file__).parents[1] / "ui" / "static"
has_page = pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="Airflow shows pages of plugins since 3.1")


@pytest.mark.skipif(AIRFLOW_V_3_1_PLUS, reason="before Airflow 3.1")
def test_before_airflow_3_1_there_is_neither_page_nor_link():
    assert not VeoCreateVideoOperator.operator_extra_links
    assert not getattr(veo.VeoPlugin, "fastapi_apps", None)
    assert not getattr(veo.VeoPlugin, "external_views", None)


def test_the_entry_point_names_the_plugin():
    (found,) = entry_points(group="airflow.plugins", name="veo")
    assert found.load() is veo.VeoPlugin


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
    assert "VeoCreateVideoOperator" in tab["applies_to"]["operator_name"]


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
