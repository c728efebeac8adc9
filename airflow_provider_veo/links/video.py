"""The link from a task to the page that plays its video."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from airflow.providers.common.compat.sdk import BaseOperatorLink

ROUTE = "veo"
"""The name of our page among those of plugins. Airflow's frame around it shows the gallery, which reads the address
around it and goes on to the task."""


class VeoVideoLink(BaseOperatorLink):
    """Leads to the page of one task instance: its video, or how far it is.

    The address depends on nothing but the task instance: it is there as soon as the task is deferred, and no failure
    makes it worse.
    """

    name = "Video"

    @property
    def xcom_key(self) -> str:
        """Where Airflow 3 keeps the link of a task instance."""
        return "veo_link"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the address, relative to the base of Airflow's UI."""
        query = {
            "dag_id": ti_key.dag_id,
            "run_id": ti_key.run_id,
            "task_id": ti_key.task_id,
            "map_index": ti_key.map_index,
            "try_number": ti_key.try_number,
        }
        # relative, as all our addresses in Airflow's UI: its pages have a base address, so a proxy's prefix holds here
        return f"plugin/{ROUTE}?{urlencode(query, quote_via=quote)}"
