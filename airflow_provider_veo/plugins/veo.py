"""The Veo page in Airflow's UI, as Airflow's plugin manager sees it.

Every process of Airflow imports this module, also each task's. So it loads nothing: the application behind it is
imported by the first request, which only the API server gets.
"""

from __future__ import annotations

import importlib
from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin, conf

from airflow_provider_veo.links.video import ROUTE
from airflow_provider_veo.observability.page import PAGE_EXISTS
from airflow_provider_veo.version_compat import AIRFLOW_V_3_4_PLUS

_BASE = "veo"  # of our addresses on the API server

OPERATORS = (
    "VeoCreateVideoOperator",
    "@task.veo_video",
    "VeoDownloadOperator",
    "VeoChatCompletionOperator",
    "VeoExtractFrameOperator",
    "VeoConcatOperator",
)


class LazyApp:
    """An ASGI application that is imported when it is first asked.

    Args:
        module: that has it as `app`.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on."""
        if self._app is None:
            self._app = importlib.import_module(self._module).app
        await self._app(scope, receive, send)


def _views() -> list[dict[str, Any]]:
    """Return what the UI shows: the page in its navigation and, where it is wanted, a tab of task instances."""
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
        # before Airflow 3.4 this is not known, and the tab would be on the tasks of all operators
        "applies_to": {"operator_name": list(OPERATORS)},
        **icons,
    }
    wants_tab = AIRFLOW_V_3_4_PLUS or conf.getboolean("veo", "task_tab", fallback=False)
    return [page, tab] if wants_tab else [page]


class VeoPlugin(AirflowPlugin):
    """Adds the Veo page to Airflow's UI; nothing before Airflow 3.1."""

    name = "veo"
    if PAGE_EXISTS:
        fastapi_apps = [{"app": LazyApp("airflow_provider_veo.ui.app"), "url_prefix": f"/{_BASE}", "name": "Veo"}]
        external_views = _views()
