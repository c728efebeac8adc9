"""Airflow's plugins that add the Veo page to the UI.

Every process of Airflow imports this module, the processes of tasks included. So the module loads nothing: the first
request, which only the API server gets, imports the application behind the page.
"""

from __future__ import annotations

import importlib
from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin, conf

from airflow_provider_veo.links.video import ROUTE
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS, AIRFLOW_V_3_4_PLUS

_BASE = "veo"  # first part of our paths on the API server

COLORS = ("#e8f0fd", "#fef7e1", "#e6f4eb")
"""Colors of the operators whose tasks have the link "Video". No other operator has them.

Airflow 3.4 shows a view of a plugin on tasks that have one of these values in a field. With the names of operators, it
would leave out the operators that users derive from ours. Derived operators inherit the color.
"""

_APPLIES_TO = {"task.ui_color": list(COLORS)}


class LazyApp:
    """An ASGI application that its first request imports.

    Args:
        module: Name of the module that has the application as `app`.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on to the application."""
        if self._app is None:
            self._app = importlib.import_module(self._module).app
        await self._app(scope, receive, send)


def _list_views() -> list[dict[str, Any]]:
    """Return the views for Airflow's UI: the page in the navigation and, if it is wanted, a tab of task instances."""
    icons = {
        "icon": f"{_BASE}/static/icon.svg",
        "icon_dark_mode": f"{_BASE}/static/icon-dark.svg",
    }
    page = {
        "name": "Veo",
        "href": f"{_BASE}/",
        "destination": "nav",
        "url_route": ROUTE,
        "nav_top_level": True,
        **icons,
    }
    tab = {
        "name": "Video",
        "href": f"{_BASE}/task?dag_id={{DAG_ID}}&run_id={{RUN_ID}}&task_id={{TASK_ID}}&map_index={{MAP_INDEX}}",
        "destination": "task_instance",
        "url_route": "veo_video",
        # Airflow before 3.4 ignores this, and would show the tab for the tasks of all operators
        "applies_to": _APPLIES_TO,
        **icons,
    }
    wants_tab = AIRFLOW_V_3_4_PLUS or conf.getboolean("veo", "task_tab", fallback=False)
    return [page, tab] if wants_tab else [page]


def _list_apps() -> list[dict[str, Any]]:
    """Return the React apps for Airflow's UI: the videos of a task, in its Overview."""
    videos = {
        "name": "Veo videos",
        "bundle_url": f"{_BASE}/static/overview.js",
        "destination": "task_overview",
        "url_route": "veo_overview",
        "applies_to": _APPLIES_TO,
    }
    return [videos]


class VeoPlugin(AirflowPlugin):
    """Adds the Veo page to Airflow's UI. Before Airflow 3.1 it adds nothing."""

    name = "veo"
    if AIRFLOW_V_3_1_PLUS:
        fastapi_apps = [{"app": LazyApp("airflow_provider_veo.ui.app"), "url_prefix": f"/{_BASE}", "name": "Veo"}]
        external_views = _list_views()


class VeoOverviewPlugin(AirflowPlugin):
    """Adds the videos of a task to its Overview. Before Airflow 3.4 it adds nothing.

    It is a plugin of its own, because Airflow drops a whole plugin from its UI if it does not accept one of its views.
    """

    name = "veo_overview"
    if AIRFLOW_V_3_4_PLUS:
        react_apps = _list_apps()
