"""Uploads to Azure, block by block.

The driver's own upload reads files of up to 64 MiB whole, three times. If two such uploads to one blob run at
the same time, the first to end throws away the blocks of the other, which then fails.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from fsspec.asyn import sync

_BLOCK = 8 * 2**20  # bytes
_ATTEMPTS = 3  # two uploads at the same time can disturb each other


def upload(part: Path, fs: Any, path: str, media_type: str, *, replace: bool) -> None:
    """Upload a file in blocks, which become a blob at the end.

    Args:
        part: File that is to be uploaded.
        fs: Driver of the storage, an fsspec filesystem.
        path: Path of the blob, as the driver's functions take it.
        media_type: Media type of the file.
        replace: Whether a blob that is there already is replaced.

    Raises:
        FileExistsError: A blob is there, and `replace` is False.
        OSError: The container does not exist.
    """
    sync(fs.loop, _upload, part, fs, path, media_type, replace)
    fs.invalidate_cache()


async def _upload(part: Path, fs: Any, path: str, media_type: str, replace: bool) -> None:
    # packages that the driver depends on
    from azure.core import MatchConditions  # noqa: PLC0415
    from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError  # noqa: PLC0415
    from azure.storage.blob import ContentSettings  # noqa: PLC0415

    container, key, _ = fs.split_path(path)
    condition = {} if replace else {"match_condition": MatchConditions.IfMissing}
    async with fs.service_client.get_blob_client(container, key) as blob:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                blocks = await _stage(part, blob)
                await blob.commit_block_list(
                    blocks, content_settings=ContentSettings(content_type=media_type), **condition
                )
            except ResourceExistsError as error:
                raise FileExistsError(path) from error
            except ResourceNotFoundError as error:
                raise FileNotFoundError(f"There is no container {container!r}") from error
            except HttpResponseError as error:
                # the end of another upload has thrown our blocks away
                if error.error_code != "InvalidBlockList" or attempt == _ATTEMPTS:
                    raise
            else:
                return


async def _stage(part: Path, blob: Any) -> list[Any]:
    """Upload all blocks, under names that no other upload uses: blocks with the same name would be mixed."""
    from azure.storage.blob import BlobBlock  # noqa: PLC0415

    name = secrets.token_hex(8)
    blocks: list[Any] = []
    with part.open("rb") as file:
        while content := file.read(_BLOCK):
            blocks.append(BlobBlock(f"{name}{len(blocks):08d}"))
            await blob.stage_block(blocks[-1].id, content)
    return blocks
