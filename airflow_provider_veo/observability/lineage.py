"""Publish the facts about a stored video: as asset events, as a sidecar file, and to OpenLineage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import unquote, urlsplit

from airflow.providers.common.compat.sdk import Asset, AssetAlias

from airflow_provider_veo import __version__
from airflow_provider_veo.storage.destinations import read_target
from airflow_provider_veo.storage.files import StoredVideo
from airflow_provider_veo.storage.names import SIDECAR
from airflow_provider_veo.utils.task_instance import TaskInstanceKey, find_region

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


class StoredFacts(TypedDict):
    """The facts about a stored video that an asset event carries. Facts that are not known are None.

    Attributes:
        video_id: ID of the job.
        uri: Address of the file, without the Airflow connection.
        bytes: Size of the file.
        sha256: Hash of the file, in hexadecimal.
        model: Name of the model.
        prompt_sha256: Hash of the prompt, in hexadecimal.
        size: Size of the video as `<width>x<height>`.
        seconds: Length of the video.
        created_at: Time at which the server created the job, in ISO 8601.
        completed_at: Time at which the server completed the job, in ISO 8601.
        estimated_cost_usd: Price of the video, in US dollars.
        pass_index: Number of the pass of the task loop that made the video, from 0; None outside of a loop.
    """

    video_id: str | None
    uri: str
    bytes: int
    sha256: str
    model: str | None
    prompt_sha256: str | None
    size: str | None
    seconds: float | None
    created_at: str | None
    completed_at: str | None
    estimated_cost_usd: float | None
    pass_index: int | None


class TaskNames(TypedDict):
    """The names of a task instance, as the sidecar file holds them.

    Attributes:
        dag_id: ID of the Dag.
        run_id: ID of the Dag run.
        task_id: ID of the task, with the ID of its group.
        map_index: Index of a mapped task instance; -1 for a task that is not mapped.
        pass_index: Number of the pass of the task loop, from 0; None outside of a loop.
        region_id: UUID of the region of Airflow 3.4 to which the task instance belongs; None if there is none.
        region_index: Index within the region; None if there is none.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    pass_index: int | None
    region_id: str | None
    region_index: int | None


def hash_prompt(prompt: str) -> str:
    """Return the SHA-256 of a prompt, in hexadecimal: equal prompts can be found without their texts."""
    return hashlib.sha256(prompt.encode()).hexdigest()


def describe_stored(
    stored: StoredVideo, video_id: str | None, job: Mapping[str, Any], pass_index: int | None = None
) -> StoredFacts:
    """Return the facts about a stored video.

    Args:
        stored: Description of the stored video.
        video_id: ID of the job, if it is known.
        job: Result of the task that ordered the video, or the known part of it.
        pass_index: Number of the pass of the task loop, from 0; None outside of a loop.
    """
    return {
        "video_id": video_id,
        "uri": stored.uri,
        "bytes": stored.bytes,
        "sha256": stored.sha256,
        "model": job.get("model"),
        "prompt_sha256": job.get("prompt_sha256"),
        "size": job.get("size"),
        "seconds": job.get("seconds"),
        "created_at": job.get("created_at"),
        "completed_at": job.get("completed_at"),
        "estimated_cost_usd": job.get("estimated_cost_usd"),
        "pass_index": pass_index,
    }


def announce(events: Any, outlets: Iterable[Any], facts: StoredFacts) -> None:
    """Add the facts to the asset events of a task. An `AssetAlias` gets the file itself as an asset.

    Args:
        events: Asset events of the task, by outlet.
        outlets: Outlets of the task.
        facts: Facts about the stored video.
    """
    for outlet in outlets:
        if isinstance(outlet, (Asset, AssetAlias)):
            event: Any = events[outlet]
            if isinstance(outlet, AssetAlias):
                event.add(Asset(uri=facts["uri"]), extra=dict(facts))
            else:
                event.extra.update(facts)


def write_sidecar(stored: StoredVideo, facts: StoredFacts, **more: Any) -> str:
    """Write a JSON file beside a video, `<name>.json`, and return its path.

    Args:
        stored: Description of the stored video.
        facts: Facts about the stored video.
        more: Facts for which an asset event has no place, such as the prompt.
    """
    video = read_target(stored.path)
    target = video.sibling(f"{video.name}{SIDECAR}")
    content = {**facts, **more, "provider": f"airflow-provider-veo {__version__}"}
    with target.staged() as part:
        part.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return str(target)


def name_task(ti: TaskInstanceKey, pass_index: int | None = None) -> TaskNames:
    """Return the names of the task instance that made a video, for the sidecar file.

    Args:
        ti: Task instance of the context.
        pass_index: Number of the pass of the task loop, from 0; None outside of a loop.
    """
    region = find_region(ti)
    return {
        "dag_id": ti.dag_id,
        "run_id": ti.run_id,
        "task_id": ti.task_id,
        "map_index": ti.map_index,
        "pass_index": pass_index,
        "region_id": region.id if region else None,
        "region_index": region.index if region else None,
    }


def describe_to_openlineage(facts: StoredFacts, source: str) -> OperatorLineage:
    """Return the lineage of a task that has stored a video.

    Args:
        facts: Facts about the stored video.
        source: Base URL of the API.
    """
    from airflow.providers.common.compat.openlineage.facet import (  # noqa: PLC0415 - OpenLineage is optional
        ExternalQueryRunFacet,
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )
    from airflow.providers.openlineage.extractors import OperatorLineage  # noqa: PLC0415
    from openlineage.client.facet_v2 import dataset_version_dataset  # noqa: PLC0415

    namespace, name = name_dataset(facts["uri"])
    version = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=facts["sha256"])
    statistics = OutputStatisticsOutputDatasetFacet(size=facts["bytes"], fileCount=1)
    video = OutputDataset(
        namespace=namespace, name=name, facets={"version": version}, outputFacets={"outputStatistics": statistics}
    )
    job = ExternalQueryRunFacet(externalQueryId=facts["video_id"] or "unknown", source=source)
    return OperatorLineage(outputs=[video], run_facets={"externalQuery": job})


def name_dataset(uri: str) -> tuple[str, str]:
    """Return the namespace and the name of a file, as OpenLineage names datasets (Naming.md of its specification)."""
    parts = urlsplit(uri)
    path = unquote(parts.path)
    if parts.scheme == "file":
        return "file", path
    return f"{parts.scheme}://{parts.netloc}", path.lstrip("/")
