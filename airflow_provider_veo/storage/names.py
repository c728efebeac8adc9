"""Names that every storage takes: a destination is checked before the order, and the id of the job is made to fit."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from airflow_provider_veo.api.errors import InvalidInputError

VIDEO_ID_PLACEHOLDER = "{video_id}"
OURS = "_veo"
"""The folder, in a storage, of what the provider keeps for itself."""
SIDECAR = ".json"
"""The ending that the name of a sidecar has after that of its video."""
PART_SUFFIX = ".veo-part"
"""The end of the name of a file that is not complete yet."""

_LONGEST_PART = 255  # bytes: file systems take no more
_LONGEST_ADDRESS = 1500  # letters: Airflow takes no more for an asset
_AZURE = ("abfs", "abfss", "adl", "az")
_NOT_TAKEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_PLAIN = re.compile(r"[\w.=-]+")
_IN_ADDRESS = "/!$&'()*+,;=:@"  # besides letters and digits: what an address may hold as it is


@dataclass(frozen=True)
class Rule:
    """What a storage takes.

    Attributes:
        scheme: of its addresses; "" for local files.
        longest: bytes of a whole path or key.
        address: the beginning of its files' addresses, before the path.
        argument: that names the place, for messages.
    """

    scheme: str
    longest: int
    address: str
    argument: str

    def filled(self, parts: Sequence[str], video_id: str | None) -> list[str]:
        """Return the parts of a path with the id in them; None only checks them.

        An id that every storage takes is kept as it is. Any other is shortened, or freed of odd letters, and then ends
        in a hash of the id: no two ids become one name.

        Args:
            parts: of the path, in which `{video_id}` stands for the id.
            video_id: or another name; None while there is none.

        Raises:
            InvalidInputError: a part cannot be the name of a file or a folder, whatever the id.
        """
        room = self._room(parts)
        shortest = [part.replace(VIDEO_ID_PLACEHOLDER, fitting("", 0)) for part in parts]
        for part in shortest:
            if problem := self._problem(part):
                raise InvalidInputError(f"{self.argument} cannot be used: its part {shown(part)} {problem}.")
        if video_id is None:
            return list(parts)
        if _PLAIN.fullmatch(video_id) and video_id.strip(".") and len(quote(video_id)) <= room:
            plain = [part.replace(VIDEO_ID_PLACEHOLDER, video_id) for part in parts]
            if not any(map(self._problem, plain)):
                return plain
        fit = fitting(video_id, room)
        return [part.replace(VIDEO_ID_PLACEHOLDER, fit) for part in parts]

    def _room(self, parts: Sequence[str]) -> int:
        """Return the bytes, or letters of an address, that an id may have.

        Raises:
            InvalidInputError: the path is too long without it.
        """
        whole = "/".join(parts)
        limits = [
            *(_Limit(part, _bytes, _LONGEST_PART - len(SIDECAR), f"its part {shown(part)}", "bytes") for part in parts),
            _Limit(whole, _bytes, self.longest - len(SIDECAR), "its whole path", "bytes"),
            _Limit(
                whole,
                lambda text: len(self.address) + 1 + len(quoted(text)),
                _LONGEST_ADDRESS,
                "its address, in which letters beyond ASCII have six and more,",
                "letters",
            ),
        ]
        for limit in limits:
            if problem := limit.problem():
                raise InvalidInputError(
                    f"{self.argument} is too long: {problem}. Shorten it, or name the file by {VIDEO_ID_PLACEHOLDER}, "
                    "which is made to fit."
                )
        return min(limit.room() for limit in limits)

    def _problem(self, part: str) -> str | None:
        """Say why a part of a path is no name; None if it is one."""
        if odd := _NOT_TAKEN.search(part):
            return f"holds a line break or another character that names cannot have (U+{ord(odd[0]):04X})"
        problems = {
            "is empty, since two slashes follow each other, or is a single dot": part in ("", "."),
            # local paths may well have them
            "leads up, which object storages do not understand": part == ".." and bool(self.scheme),
            "is the folder of what this provider keeps for itself: choose another": part.casefold() == OURS,
            "ends like the name of an incomplete file, which is removed sooner or later": part.endswith(PART_SUFFIX),
            "ends in a dot or has a backslash, which Azure does not keep": self.scheme in _AZURE
            and (part.endswith(".") or "\\" in part),
        }
        return next((problem for problem, is_so in problems.items() if is_so), None)


@dataclass(frozen=True)
class _Limit:
    """How long a text may be.

    Attributes:
        text: in which `{video_id}` stands for the id.
        measure: returns a text's length.
        most: that it may be; where it is in bytes, there is room for the ending of a sidecar's name beside.
        what: the text is, for messages.
        unit: of the length.
    """

    text: str
    measure: Callable[[str], int]
    most: int
    what: str
    unit: str

    def room(self) -> int:
        """Return how long the id may be."""
        ids = self.text.count(VIDEO_ID_PLACEHOLDER)
        return (self.most - self._used()) // ids if ids else self.most

    def problem(self) -> str | None:
        """Say what is too long; None if there is room for the id."""
        ids, shortest = self.text.count(VIDEO_ID_PLACEHOLDER), len(fitting("", 0))
        if self._used() + ids * shortest <= self.most:
            return None
        beside = f" beside {VIDEO_ID_PLACEHOLDER}, which needs {shortest}" if ids else ""
        allowed = f"{self.most} are allowed"
        if self.unit == "bytes":
            allowed = f"{self.most + len(SIDECAR)} are allowed, {len(SIDECAR)} of them for the {SIDECAR} of a sidecar"
        return f"{self.what} has {self._used()} {self.unit}{beside}, and {allowed}"

    def _used(self) -> int:
        return self.measure(self.text.replace(VIDEO_ID_PLACEHOLDER, ""))


def fitting(name: str, room: int) -> str:
    """Return a name of at most so many letters (17 at least) that any storage takes, and no other name becomes.

    It holds a `~`, which no name has that is kept as it is.

    Args:
        name: of any letters and length.
        room: letters, percent-encoded.
    """
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{beginning(name, room - len(digest) - 1)}~{digest}"


def beginning(name: str, room: int) -> str:
    """Return the beginning of a name, with letters only that any storage takes.

    Args:
        name: of any letters and length.
        room: letters, percent-encoded.
    """
    clean = re.sub(r"[^\w.=-]", "_", name[: max(0, room)])
    while clean and len(quote(clean)) > room:
        clean = clean[:-1]
    return clean


def quoted(path: str) -> str:
    """Return a path as it stands in an address."""
    return quote(path, safe=_IN_ADDRESS, errors="surrogatepass")


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def shown(name: str, most: int = 60) -> str:
    """Return a name or a path as a message shows it: of a long one its beginning and its end, which tell it apart."""
    return repr(name if len(name) <= most else f"{name[: most * 2 // 3]}…{name[-(most // 4) :]}")
