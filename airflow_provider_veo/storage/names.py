"""Check and make names that every storage takes.

A destination is checked before the order. The ID of the job is shortened until it fits into the name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from airflow_provider_veo.api.errors import InvalidInputError

VIDEO_ID_PLACEHOLDER = "{video_id}"
OURS = "_veo"
"""Name of the folder, in a storage, for the provider's own files."""
SIDECAR = ".json"
"""Ending of the name of a sidecar file, after the name of its video."""
PART_SUFFIX = ".veo-part"
"""Ending of the name of a part file."""

_LONGEST_PART = 255  # bytes: the limit of file systems
_LONGEST_ADDRESS = 1500  # letters: Airflow's limit for the URI of an asset
_AZURE = ("abfs", "abfss", "adl", "az")
_NOT_TAKEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_PLAIN = re.compile(r"[\w.=-]+")
_IN_ADDRESS = "/!$&'()*+,;=:@"  # characters that an address may hold, besides letters and digits


@dataclass(frozen=True)
class NameRule:
    """The names that a storage takes.

    Attributes:
        scheme: Scheme of the storage's addresses, or "" for local files.
        longest: Largest number of bytes of a whole path or key.
        address: Beginning of the addresses of its files, before the path.
        argument: The argument that names the file, for error messages.
    """

    scheme: str
    longest: int
    address: str
    argument: str

    def fill(self, parts: Sequence[str], video_id: str | None) -> list[str]:
        """Check the parts of a path, and return them with an ID filled in.

        An ID that every storage takes is kept as it is. Any other ID is shortened, its unusual letters are replaced,
        and a hash of the ID is added. So two IDs never become one name.

        Args:
            parts: Names of the folders and of the file, in which `{video_id}` stands for the ID.
            video_id: The ID, or another name. None if there is none yet; then the parts are only checked.

        Raises:
            InvalidInputError: With any ID, a part cannot be the name of a file or a folder.
        """
        room = self._find_room(parts)
        shortest = [part.replace(VIDEO_ID_PLACEHOLDER, fit_name("", 0)) for part in parts]
        for part in shortest:
            if problem := self._find_problem(part):
                raise InvalidInputError(f"{self.argument} cannot be used: its part {shorten(part)} {problem}.")
        if video_id is None:
            return list(parts)
        if _PLAIN.fullmatch(video_id) and video_id.strip(".") and len(quote(video_id)) <= room:
            plain = [part.replace(VIDEO_ID_PLACEHOLDER, video_id) for part in parts]
            if not any(map(self._find_problem, plain)):
                return plain
        fit = fit_name(video_id, room)
        return [part.replace(VIDEO_ID_PLACEHOLDER, fit) for part in parts]

    def _find_room(self, parts: Sequence[str]) -> int:
        """Return the largest number of bytes, or of letters of an address, that the ID may have.

        Raises:
            InvalidInputError: The path is too long even without the ID.
        """
        whole = "/".join(parts)
        limits = [
            *(
                _Limit(part, _bytes, _LONGEST_PART - len(SIDECAR), f"its part {shorten(part)}", "bytes")
                for part in parts
            ),
            _Limit(whole, _bytes, self.longest - len(SIDECAR), "its whole path", "bytes"),
            _Limit(
                whole,
                lambda text: len(self.address) + 1 + len(quote_path(text)),
                _LONGEST_ADDRESS,
                "its address, in which letters beyond ASCII have six and more,",
                "letters",
            ),
        ]
        for limit in limits:
            if problem := limit.find_problem():
                raise InvalidInputError(
                    f"{self.argument} is too long: {problem}. Shorten it, or name the file by {VIDEO_ID_PLACEHOLDER}, "
                    "which is made to fit."
                )
        return min(limit.find_room() for limit in limits)

    def _find_problem(self, part: str) -> str | None:
        """Return why a part of a path cannot be a name; None if it can."""
        if odd := _NOT_TAKEN.search(part):
            return f"holds a line break or another character that names cannot have (U+{ord(odd[0]):04X})"
        problems = {
            "is empty, since two slashes follow each other, or is a single dot": part in ("", "."),
            # local paths may have such parts
            "leads up, which object storages do not understand": part == ".." and bool(self.scheme),
            "is the folder of this provider's own files: choose another": part.casefold() == OURS,
            "ends like the name of an incomplete file, which is removed sooner or later": part.endswith(PART_SUFFIX),
            "ends in a dot or has a backslash, which Azure does not keep": self.scheme in _AZURE
            and (part.endswith(".") or "\\" in part),
        }
        return next((problem for problem, is_so in problems.items() if is_so), None)


@dataclass(frozen=True)
class _Limit:
    """The limit of the length of a text.

    Attributes:
        text: The text, in which `{video_id}` stands for the ID.
        measure: Function that returns the length of a text.
        most: The limit. A limit in bytes leaves room for the ending of a sidecar's name.
        what: Name of the text, for error messages.
        unit: Unit of the length.
    """

    text: str
    measure: Callable[[str], int]
    most: int
    what: str
    unit: str

    def find_room(self) -> int:
        """Return the largest length that the ID may have."""
        ids = self.text.count(VIDEO_ID_PLACEHOLDER)
        return (self.most - self._used()) // ids if ids else self.most

    def find_problem(self) -> str | None:
        """Return a description of the text that is too long; None if there is room for the ID."""
        ids, shortest = self.text.count(VIDEO_ID_PLACEHOLDER), len(fit_name("", 0))
        if self._used() + ids * shortest <= self.most:
            return None
        beside = f" beside {VIDEO_ID_PLACEHOLDER}, which needs {shortest}" if ids else ""
        allowed = f"{self.most} are allowed"
        if self.unit == "bytes":
            allowed = f"{self.most + len(SIDECAR)} are allowed, {len(SIDECAR)} of them for the {SIDECAR} of a sidecar"
        return f"{self.what} has {self._used()} {self.unit}{beside}, and {allowed}"

    def _used(self) -> int:
        return self.measure(self.text.replace(VIDEO_ID_PLACEHOLDER, ""))


def fit_name(name: str, room: int) -> str:
    """Return a name that every storage takes, and that no other name becomes.

    The result holds a `~`, which no unchanged name has.

    Args:
        name: The name, of any letters and length.
        room: Largest number of letters of the result, percent-encoded; at least 17.
    """
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{clean_beginning(name, room - len(digest) - 1)}~{digest}"


def clean_beginning(name: str, room: int) -> str:
    """Return the beginning of a name, with only such letters as every storage takes.

    Args:
        name: The name, of any letters and length.
        room: Largest number of letters of the result, percent-encoded.
    """
    clean = re.sub(r"[^\w.=-]", "_", name[: max(0, room)])
    while clean and len(quote(clean)) > room:
        clean = clean[:-1]
    return clean


def quote_path(path: str) -> str:
    """Return a path as an address holds it."""
    return quote(path, safe=_IN_ADDRESS, errors="surrogatepass")


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def shorten(name: str, most: int = 60) -> str:
    """Return a name or a path as a message shows it: only the beginning and the end of a long one.

    Args:
        name: The name or the path.
        most: Rough upper limit for the letters of the result.
    """
    return repr(name if len(name) <= most else f"{name[: most * 2 // 3]}…{name[-(most // 4) :]}")
