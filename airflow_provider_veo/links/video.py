"""The link from a task to the page that plays its video."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from airflow.providers.common.compat.sdk import BaseOperatorLink

from airflow_provider_veo.utils.task_instance import find_region

ROUTE = "veo"
"""Name of the page among the pages of plugins.

Airflow shows the gallery in a frame. The gallery reads the address of the frame, and then opens the page of the task.
"""


class VeoVideoLink(BaseOperatorLink):
    """Leads to the page of one task instance, with its video or its progress.

    The address depends on the task instance only. So the link works while the task waits, and after a failure.
    """

    name = "Video"

    @property
    def xcom_key(self) -> str:
        """Key of the XCom in which Airflow 3 stores the link."""
        return "veo_link"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the address, relative to the base of Airflow's UI.

        Args:
            operator: The operator; the address does not depend on it.
            ti_key: The names and the try number of the task instance.
        """
        query = {
            "dag_id": ti_key.dag_id,
            "run_id": ti_key.run_id,
            "task_id": ti_key.task_id,
            "map_index": ti_key.map_index,
            "try_number": ti_key.try_number,
        }
        if region := find_region(ti_key):
            query |= {"region_id": region.id, "region_index": region.index}
        # relative: Airflow's pages have a base address, so the prefix of a proxy stays
        return f"plugin/{ROUTE}?{urlencode(query, quote_via=quote)}"
