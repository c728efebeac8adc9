"""Uploads to Azure, block by block.

The driver's own upload reads files of up to 64 MiB whole, three times over. And of two uploads to the same blob at the
same moment, the first to end throws away the blocks of the other, which fails.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from fsspec.asyn import sync

from airflow_provider_veo.storage.objects import ObjectPlace

_BLOCK = 8 * 2**20  # bytes
_ATTEMPTS = 3  # two uploads at the same moment disturb each other


def upload(part: Path, target: ObjectPlace, media_type: str, *, replace: bool) -> None:
    """Upload a file in blocks of its own, which become a blob at the end.

    Args:
        part: the file.
        target: where it goes.
        media_type: of the file.
        replace: put it in place of what is there already.

    Raises:
        FileExistsError: something is there, and `replace` is false.
        OSError: the container does not exist.
    """
    sync(target.fs.loop, _upload, part, target, media_type, replace)
    target.fs.invalidate_cache()


async def _upload(part: Path, target: ObjectPlace, media_type: str, replace: bool) -> None:
    # what the driver is made of
    from azure.core import MatchConditions  # noqa: PLC0415
    from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError  # noqa: PLC0415
    from azure.storage.blob import ContentSettings  # noqa: PLC0415

    container, key, _ = target.fs.split_path(target.path)
    condition = {} if replace else {"match_condition": MatchConditions.IfMissing}
    async with target.fs.service_client.get_blob_client(container, key) as blob:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                blocks = await _stage(part, blob)
                await blob.commit_block_list(
                    blocks, content_settings=ContentSettings(content_type=media_type), **condition
                )
            except ResourceExistsError as error:
                raise FileExistsError(str(target)) from error
            except ResourceNotFoundError as error:
                raise FileNotFoundError(f"There is no container {container!r} for {target}") from error
            except HttpResponseError as error:
                # another upload's end has thrown our blocks away
                if error.error_code != "InvalidBlockList" or attempt == _ATTEMPTS:
                    raise
            else:
                return


async def _stage(part: Path, blob: Any) -> list[Any]:
    """Upload all blocks, under names that no other upload has: blocks of one name would mix."""
    from azure.storage.blob import BlobBlock  # noqa: PLC0415

    name = secrets.token_hex(8)
    blocks: list[Any] = []
    with part.open("rb") as file:
        while content := file.read(_BLOCK):
            blocks.append(BlobBlock(f"{name}{len(blocks):08d}"))
            await blob.stage_block(blocks[-1].id, content)
    return blocks
