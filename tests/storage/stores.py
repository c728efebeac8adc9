"""Storages for videos: S3, Azure and Google Cloud Storage as servers on loopback, and two without a server.

The tests read them by other means than the code under test: over plain HTTP, or with the vendor's own client.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote
from xml.etree import ElementTree as ET

import fsspec
import httpx

from dev.server_process import ServerProcess

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

AZURITE = Path(sys.prefix, "azurite/node_modules/.bin/azurite-blob")
BUCKET = "videos"
_PIECE = 2**20


class Store(ABC):
    """A storage for objects, read independently of the code under test.

    Attributes:
        name: Name for people.
        uri: URI for the code under test. That of an object is `<uri>/<name>`.
        is_shared: Whether other processes see the same objects.
    """

    name: ClassVar[str]
    uri: str
    is_shared: ClassVar[bool] = True

    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Return the size in bytes of each object, by name."""

    @abstractmethod
    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the content of an object in blocks."""

    @abstractmethod
    def put(self, name: str, content: bytes) -> None:
        """Write an object."""

    @abstractmethod
    def clear(self) -> None:
        """Remove all objects."""

    def sha256(self, name: str) -> str:
        """Return the SHA-256 hash of an object, in hexadecimal."""
        digest = hashlib.sha256()
        for piece in self.pieces(name):
            digest.update(piece)
        return digest.hexdigest()

    def read(self, name: str) -> bytes:
        """Return the content of a small object."""
        return b"".join(self.pieces(name))


class LocalStore(Store):
    """A folder."""

    name = "local"

    def __init__(self, folder: Path) -> None:
        self.uri = str(folder)
        self._folder = folder

    def sizes(self) -> dict[str, int]:
        sizes = {}
        for path in self._folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # renamed or removed in between
                if path.is_file():
                    sizes[str(path.relative_to(self._folder))] = path.stat().st_size
        return sizes

    def pieces(self, name: str) -> Iterator[bytes]:
        with Path(self._folder, name).open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece

    def put(self, name: str, content: bytes) -> None:
        path = Path(self._folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def clear(self) -> None:
        for name in self.sizes():
            Path(self._folder, name).unlink()


class MemoryStore(Store):
    """fsspec's filesystem in the memory of this process, which stands for filesystems without special treatment."""

    name = "memory"
    uri = f"memory://{BUCKET}"
    is_shared = False

    def __init__(self) -> None:
        from airflow.sdk.io import attach

        self._files = fsspec.filesystem("memory")
        attach("memory", fs=self._files)

    def sizes(self) -> dict[str, int]:
        # not `getbuffer`, which would lock the object against the writing thread
        objects = list(self._files.store.items())
        return {path.removeprefix(f"/{BUCKET}/"): len(file.getvalue()) for path, file in objects}

    def pieces(self, name: str) -> Iterator[bytes]:
        yield self._files.store[f"/{BUCKET}/{name}"].getvalue()

    def put(self, name: str, content: bytes) -> None:
        self._files.pipe_file(f"/{BUCKET}/{name}", content)

    def clear(self) -> None:
        self._files.store.clear()
        self._files.pseudo_dirs[:] = [""]


class StoreServer(Store, ServerProcess):
    """A server on loopback: `with S3Server(folder) as store: ... store.uri ...`.

    Attributes:
        url: Base URL of the server.
        connection: Airflow connection, a dictionary as in the JSON of `AIRFLOW_CONN_...`.
    """

    scheme: ClassVar[str]
    _headers: ClassVar[dict[str, str]] = {}
    connection: dict[str, Any]

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = f"http://127.0.0.1:{self.port}"
        self.conn_id = f"store_{self.name}"
        self.uri = f"{self.scheme}://{self.conn_id}@{BUCKET}"
        # requests to loopback must not use a proxy of this machine
        self._http = httpx.Client(base_url=self.url, headers=self._headers, trust_env=False, timeout=60)

    def __exit__(self, *_: object) -> None:
        self._http.close()
        super().__exit__()

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._http.request(method, path, **options).raise_for_status()

    def _stream(self, path: str) -> Iterator[bytes]:
        with self._http.stream("GET", path) as answer:
            yield from answer.raise_for_status().iter_bytes()


class S3Server(StoreServer):
    """moto's S3, which checks no signatures."""

    name = "s3"
    scheme = "s3"
    _headers: ClassVar = {"Authorization": "any value, since moto treats requests without one as public"}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        extra = {"endpoint_url": self.url, "region_name": "us-east-1"}
        self.connection = {"conn_type": "aws", "login": "someone", "password": "something", "extra": extra}

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(self.port)]

    def _make_ready(self) -> None:
        self._ask("PUT", f"/{BUCKET}")

    def sizes(self) -> dict[str, int]:
        listing = ET.fromstring(self._ask("GET", f"/{BUCKET}?list-type=2").content)
        return {entry.findtext("{*}Key"): int(entry.findtext("{*}Size")) for entry in listing.findall("{*}Contents")}

    def pieces(self, name: str) -> Iterator[bytes]:
        return self._stream(f"/{BUCKET}/{quote(name)}")

    def put(self, name: str, content: bytes) -> None:
        self._ask("PUT", f"/{BUCKET}/{quote(name)}", content=content)

    def clear(self) -> None:
        self._ask("POST", "/moto-api/reset")
        self._make_ready()


class GCSServer(StoreServer):
    """gcp-storage-emulator.

    It does not know `ifGenerationMatch`, so it cannot create an object only if there is none. It cannot abort an
    upload, and it answers one request at a time.
    """

    name = "gcs"
    scheme = "gs"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        extra = {"is_anonymous": True, "project": "a-project", "gcs.endpoint": self.url}
        self.connection = {"conn_type": "google_cloud_platform", "extra": extra}

    def _command(self) -> list[str]:
        address = ["--host", "127.0.0.1", "--port", str(self.port)]
        return [sys.executable, "-m", "gcp_storage_emulator", "start", *address, "--in-memory", "--quiet"]

    def _make_ready(self) -> None:
        self._ask("POST", "/storage/v1/b", json={"name": BUCKET})

    def sizes(self) -> dict[str, int]:
        listing = self._ask("GET", f"/storage/v1/b/{BUCKET}/o").json()
        return {entry["name"]: int(entry["size"]) for entry in listing.get("items", [])}

    def pieces(self, name: str) -> Iterator[bytes]:
        return self._stream(f"/download/storage/v1/b/{BUCKET}/o/{quote(name, safe='')}?alt=media")

    def put(self, name: str, content: bytes) -> None:
        options = {"params": {"uploadType": "media", "name": name}, "content": content}
        self._ask("POST", f"/upload/storage/v1/b/{BUCKET}/o", **options)

    def clear(self) -> None:
        # a DELETE would keep the deleted objects for a week
        self._ask("GET", "/wipe?keep-buckets=true")


class AzureServer(StoreServer):
    """azurite's blob service, which checks signatures."""

    name = "azure"
    scheme = "abfs"

    _ACCOUNT = "account"
    _KEY = base64.b64encode(b"key of a server for these tests").decode()

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        parts = {
            "DefaultEndpointsProtocol": "http",
            "AccountName": self._ACCOUNT,
            "AccountKey": self._KEY,
            "BlobEndpoint": f"{self.url}/{self._ACCOUNT}",
        }
        address = "".join(f"{key}={value};" for key, value in parts.items())
        self.connection = {"conn_type": "wasb", "extra": {"connection_string": address}}

    def _command(self) -> list[str]:
        if not AZURITE.exists():
            raise FileNotFoundError(f"{AZURITE} is missing. `make test-storage` installs it, and runs these tests.")
        address = ["--blobHost", "127.0.0.1", "--blobPort", str(self.port)]
        # the client asks for a newer version of the API than that of the server
        tolerant = ["--skipApiVersionCheck", "--disableTelemetry", "--silent"]
        return ["node", str(AZURITE), *address, "--location", str(self.folder), *tolerant]

    def _environment(self) -> dict[str, str]:
        return super()._environment() | {"AZURITE_ACCOUNTS": f"{self._ACCOUNT}:{self._KEY}"}

    def _make_ready(self) -> None:
        from azure.storage.blob import ContainerClient

        address = self.connection["extra"]["connection_string"]
        self._container: ContainerClient = ContainerClient.from_connection_string(address, BUCKET)
        self._container.create_container()

    def sizes(self) -> dict[str, int]:
        return {blob.name: blob.size for blob in self._container.list_blobs()}

    def pieces(self, name: str) -> Iterator[bytes]:
        return self._container.download_blob(name).chunks()

    def put(self, name: str, content: bytes) -> None:
        self._container.upload_blob(name, content, overwrite=True)

    def clear(self) -> None:
        for name in self.sizes():
            self._container.delete_blob(name)


def variable_of(server: StoreServer) -> tuple[str, str]:
    """Return name and value of the environment variable that makes a server an Airflow connection."""
    return f"AIRFLOW_CONN_{server.conn_id.upper()}", json.dumps(server.connection)
