"""Find the addresses of videos in a chat stream: at most as many as were ordered, and each once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from airflow_provider_veo.api.answers.text import is_plain_text
from airflow_provider_veo.api.chat.events import LeftOut, VideoReady
from airflow_provider_veo.api.chat.limits import MOST_COUNTED
from airflow_provider_veo.api.net.urls import LONGEST_URL

# no character that ends an address in a text, or that an address or a database cannot hold
_LETTER = (
    r"[^\s\x00-\x20\x7f-\x9f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069"
    r"<>\"'`()\[\]{}|\\^（）【】《》“”，。]"
)
_START = re.compile(r"[hH][tT][tT][pP][sS]?://")
# nothing follows the repetition, so that the pattern never backtracks; 50 are more than any address needs
_URL = re.compile(rf"{_START.pattern}(?:{_LETTER}+|\({_LETTER}*\)){{1,50}}")
_AFTER_URL = ".,;:!?*_~、；：！？…"
_VIDEO_FILE = re.compile(r"\.(mp4|m4v|mov|webm|mkv)$", re.IGNORECASE)
_OTHER_FILE = re.compile(r"\.(jpe?g|png|webp|gif|svg|avif|html?|json|txt|pdf|md|css|js)$", re.IGNORECASE)


def find_urls(text: str) -> Iterator[str]:
    """Return the addresses in a text for people."""
    return (found[0].rstrip(_AFTER_URL) for found in _URL.finditer(text))


class OrderedVideos:
    """The videos of one call.

    Args:
        most: Number of videos that were ordered.
        sent: Texts of the order (prompt, addresses of frames). If the server repeats an address in them, it is not
            that of a video.
    """

    def __init__(self, most: int, sent: Iterable[str]) -> None:
        self._most = most
        self._sent = [
            text[start.start() : start.start() + LONGEST_URL]
            for text in sent
            if not text.startswith("data:")
            for start in _START.finditer(text)
        ]
        self._urls: dict[int, str] = {}
        self._beyond: set[int] = set()  # their hashes
        self._unusable = 0

    def may_be_video(self, url: str, *, is_success: bool) -> bool:
        """Return whether an address in a text may be that of a video.

        Args:
            url: Address that the text contains.
            is_success: Whether the text reports a success.
        """
        if self._was_sent(url):
            return False
        return _is_file(url, _VIDEO_FILE) or (is_success and not _is_file(url, _OTHER_FILE))

    def add(self, url: str | None, index: int | None = None) -> Iterator[VideoReady]:
        """Add an address, and yield an event if it is a new video.

        Args:
            url: Address of a video, or None.
            index: The server's number for the video, or None. If it is wrong, another number is taken.
        """
        if not url or url in self._urls.values() or self._was_sent(url):
            return
        if len(url) > LONGEST_URL or not is_plain_text(url):
            self._unusable += 1
        elif len(self._urls) < self._most:
            free = [number for number in range(1, self._most + 1) if number not in self._urls]
            index = index if index in free else free[0]
            self._urls[index] = url
            yield VideoReady(index, url)
        else:
            yield from self._replace_guess(url)

    def list_left_out(self) -> Iterator[LeftOut]:
        """Yield an event for each kind of address that was not taken."""
        if self._beyond:
            videos = "1 video that was" if self._most == 1 else f"{self._most} videos that were"
            yield LeftOut(f"addresses beyond the {videos} ordered", len(self._beyond))
        if self._unusable:
            yield LeftOut("addresses that cannot be used", self._unusable)

    def _replace_guess(self, url: str) -> Iterator[VideoReady]:
        """Put a video file in the place of an address that may be any page; count any other address."""
        guess = next((index for index, taken in self._urls.items() if not _is_file(taken, _VIDEO_FILE)), None)
        left_out = url
        if guess is not None and _is_file(url, _VIDEO_FILE):
            left_out, self._urls[guess] = self._urls[guess], url
            yield VideoReady(guess, url, instead_of=left_out)
        if len(self._beyond) < MOST_COUNTED:
            self._beyond.add(hash(left_out))

    def _was_sent(self, url: str) -> bool:
        return any(sent.startswith(url) for sent in self._sent)


def _is_file(url: str, kind: re.Pattern[str]) -> bool:
    path = re.split(r"[?#]", url, maxsplit=1)[0]
    return kind.search(path) is not None
