"""What Airflow's plugin manager gets."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from airflow_provider_veo.observability.page import PAGE_EXISTS
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.plugins import veo

STATIC = Path(veo.__file__).parents[1] / "ui" / "static"
has_page = pytest.mark.skipif(not PAGE_EXISTS, reason="Airflow shows pages of plugins since 3.1")


@pytest.mark.skipif(PAGE_EXISTS, reason="before Airflow 3.1")
def test_without_pages_of_plugins_there_is_neither_page_nor_link():
    assert not VeoCreateVideoOperator.operator_extra_links
    assert not getattr(veo.VeoPlugin, "fastapi_apps", None)
    assert not getattr(veo.VeoPlugin, "external_views", None)


def test_the_entry_point_names_the_plugin():
    (found,) = entry_points(group="airflow.plugins", name="veo")
    assert found.load() is veo.VeoPlugin


@has_page
def test_the_page_is_in_the_navigation(monkeypatch):
    monkeypatch.setattr(veo, "AIRFLOW_V_3_4_PLUS", False)
    (page,) = veo._views()
    assert (page["name"], page["destination"], page["href"]) == ("Veo", "nav", "veo/")
    for icon in (page["icon"], page["icon_dark_mode"]):
        assert (STATIC / icon.removeprefix("veo/static/")).exists()


@has_page
@pytest.mark.parametrize("version_has_it", [True, False])
def test_the_tab(monkeypatch, version_has_it):
    monkeypatch.setattr(veo, "AIRFLOW_V_3_4_PLUS", version_has_it)
    monkeypatch.setenv("AIRFLOW__VEO__TASK_TAB", str(not version_has_it))
    _, tab = veo._views()
    assert tab["destination"] == "task_instance"
    assert tab["href"].startswith("veo/task?dag_id={DAG_ID}&")
    assert "VeoCreateVideoOperator" in tab["applies_to"]["operator_name"]


async def test_the_application_is_imported_by_the_first_request(monkeypatch):
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
