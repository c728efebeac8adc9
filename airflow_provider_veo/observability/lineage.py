"""What is known about a stored video, for those who were not there: asset events, the sidecar file, lineage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow.providers.common.compat.sdk import Asset, AssetAlias, Context

from airflow_provider_veo import __version__
from airflow_provider_veo.storage.destinations import read_target
from airflow_provider_veo.storage.files import StoredVideo
from airflow_provider_veo.storage.names import SIDECAR

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

_OF_THE_JOB = (
    "model",
    "prompt_sha256",
    "size",
    "seconds",
    "created_at",
    "completed_at",
    "estimated_cost_usd",
)


def prompt_sha256(prompt: str) -> str:
    """Return the fingerprint of a prompt, which tells equal ones without telling what they say."""
    return hashlib.sha256(prompt.encode()).hexdigest()


def facts_of(stored: StoredVideo, video_id: str | None, job: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an asset event says of a video; what is not known is None.

    Args:
        stored: the video.
        video_id: of the job.
        job: the result of the task that ordered it, as far as it is known.
    """
    of_the_file = {"uri": stored.uri, "bytes": stored.bytes, "sha256": stored.sha256}
    return {"video_id": video_id} | of_the_file | {name: job.get(name) for name in _OF_THE_JOB}


def announce(context: Context, outlets: Iterable[Any], facts: dict[str, Any]) -> None:
    """Give a task's asset events what is known about its video; an `AssetAlias` gets the file itself as an asset."""
    for outlet in outlets:
        if isinstance(outlet, (Asset, AssetAlias)):
            event: Any = context["outlet_events"][outlet]
            if isinstance(outlet, AssetAlias):
                event.add(Asset(uri=facts["uri"]), extra=facts)
            else:
                event.extra |= facts


def write_sidecar(stored: StoredVideo, facts: dict[str, Any], **more: Any) -> str:
    """Write a JSON file beside a video, `<name>.json`, and return its path.

    Args:
        stored: the video.
        facts: what is known about it.
        more: what an asset event has no place for, such as the prompt.
    """
    video = read_target(stored.path)
    target = video.sibling(f"{video.name}{SIDECAR}")
    told = facts | more | {"provider": f"airflow-provider-veo {__version__}"}
    with target.staged() as part:
        part.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return str(target)


def task_of(context: Context) -> dict[str, Any]:
    """Say which task instance made a video."""
    ti: Any = context["ti"]
    return {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": ti.map_index}


def lineage_of(facts: Mapping[str, Any], source: str) -> OperatorLineage:
    """Describe a stored video to OpenLineage.

    Args:
        facts: see `facts_of`.
        source: base URL of the gateway.
    """
    from airflow.providers.common.compat.openlineage.facet import (  # noqa: PLC0415 - where OpenLineage is installed
        ExternalQueryRunFacet,
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )
    from airflow.providers.openlineage.extractors import OperatorLineage  # noqa: PLC0415
    from openlineage.client.facet_v2 import dataset_version_dataset  # noqa: PLC0415

    namespace, name = dataset_name(facts["uri"])
    version = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=facts["sha256"])
    statistics = OutputStatisticsOutputDatasetFacet(size=facts["bytes"], fileCount=1)
    video = OutputDataset(
        namespace=namespace, name=name, facets={"version": version}, outputFacets={"outputStatistics": statistics}
    )
    job = ExternalQueryRunFacet(externalQueryId=facts["video_id"] or "unknown", source=source)
    return OperatorLineage(outputs=[video], run_facets={"externalQuery": job})


def dataset_name(uri: str) -> tuple[str, str]:
    """Return namespace and name of a file, as OpenLineage names datasets (its spec: Naming.md)."""
    parts = urlsplit(uri)
    path = unquote(parts.path)
    if parts.scheme == "file":
        return "file", path
    return f"{parts.scheme}://{parts.netloc}", path.lstrip("/")
