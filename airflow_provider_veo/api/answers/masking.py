"""Hide secrets in texts for people, in every spelling: servers quote the requests that they have received."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, unquote

from airflow_provider_veo.api.answers.text import make_storable

SHORTEST_SECRET = 8
"""Shortest text that is hidden, in characters. Keys of local servers such as "x" are not secret, and parts of words."""

KEY_IN_ADDRESS = "__veo_api_key__"
"""Placeholder for the API key in a stored address. A request to the API itself gets the key in its place."""

_SURELY_SECRET = 20  # characters; a meaningful word of an address is shorter

_HIDDEN = "***"
_ROUNDS = 4  # levels of spellings: JSON in JSON, an address in an address
_SPELLED = re.compile(
    r"(?P<units>(?:\\{1,16}(?-i:u)[0-9a-f]{4})+)"
    r"|\\{1,16}(?:(?-i:U)(?P<wide>[0-9a-f]{8})|u\{(?P<braced>[0-9a-f]{1,6})\}|x(?P<byte>[0-9a-f]{2})|(?P<itself>.))"
    r"|(?P<percent>(?:%[0-9a-f]{2})+)"
    r"|(?P<entity>&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]\w{1,30});)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Mask:
    """Hides secrets in texts.

    Args:
        secrets: The API key, which may be empty, and further texts that must not be shown.
    """

    secrets: tuple[str, ...] = field(default=(), repr=False)
    _words: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # a key may contain the scheme, like "Bearer sk-...", and be quoted without it
        long = [word for secret in self.secrets for word in secret.split() if len(word) >= SHORTEST_SECRET]
        forms = {form for word in long for form in _forms(word)}
        object.__setattr__(self, "_words", tuple(sorted(forms, key=len, reverse=True)))

    def hide(self, text: str) -> str:
        """Return a text with `***` in place of each secret, and of the beginning of a secret at the end of the text."""
        return self.replace_secrets(text, _HIDDEN)

    def hide_in_url(self, url: str) -> str:
        """Return an address for storage, with placeholders in place of the secrets."""
        for stand_in, secret in self._placeholders():
            url = make_mask((secret,)).replace_secrets(url, stand_in)
        return url

    def restore_in_url(self, url: str) -> str:
        """Return an address with the secrets in place of their placeholders, for a request to the API itself."""
        for stand_in, secret in reversed(self._placeholders()):
            url = url.replace(stand_in, quote(secret, safe=""))
        return url

    def _placeholders(self) -> list[tuple[str, str]]:
        """Return the placeholder of each secret, and the secret.

        A short header, such as the name of a provider, may be part of any address, so it is not hidden in addresses.
        """
        key, *others = self.secrets or ("",)
        long = ((f"{KEY_IN_ADDRESS}{n}__", other) for n, other in enumerate(others, 1) if len(other) >= _SURELY_SECRET)
        return [(KEY_IN_ADDRESS, key), *long]

    def replace_secrets(self, text: str, stand_in: str) -> str:
        """Return a text with a stand-in in place of each secret, in every spelling."""
        if not self._words:
            return text
        found: _Spans = []
        plain, spans = text, None
        for _ in range(_ROUNDS):
            places = (place for word in self._words for place in _find(plain, word))
            found += places if spans is None else [(spans[start][0], spans[end - 1][1]) for start, end in places]
            if not _SPELLED.search(plain):
                break
            plain, spans = _resolve_spellings(plain, spans or [(at, at + 1) for at in range(len(plain))])
        return _insert_stand_ins(text, sorted(found), stand_in) if found else text


_Spans = list[tuple[int, int]]
"""The place of each character in the original text: start and end."""


@lru_cache(maxsize=64)
def make_mask(secrets: tuple[str, ...]) -> Mask:
    """Return the mask for some secrets. Masks are cached, since making one takes longer than using it."""
    return Mask(secrets)


def _forms(word: str) -> Iterator[str]:
    """Yield the forms in which a secret may stand in a text after all spellings are resolved."""
    yield word
    yield _resolve_spellings(word, [(0, 0)] * len(word))[0]
    raw = word.encode(errors="replace")
    if not word.isascii():
        # a server may have read it in another encoding
        yield (moved := raw.decode("latin-1"))
        yield make_storable(moved)
        yield raw.decode("cp1252", "replace")
        yield raw.decode("ascii", "replace")
        yield word.encode("ascii", "replace").decode()
    for before in range(3):
        # only the letters that depend on the secret alone, for each position of the secret in the encoded bytes
        coded = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
        core = coded[(0, 2, 3)[before] : len(coded) - bool((before + len(raw)) % 3)]
        yield core
        yield core.replace("+", "-").replace("/", "_")


def _resolve_spellings(text: str, spans: _Spans) -> tuple[str, _Spans]:
    """Resolve one layer of spellings; all characters of a run of escapes share its place."""
    pieces: list[str] = []
    places: _Spans = []
    done = 0
    for match in _SPELLED.finditer(text):
        start, end = match.span()
        piece = _resolve(match)
        pieces += [text[done:start], piece]
        places += spans[done:start]
        places += [(spans[start][0], spans[end - 1][1])] * len(piece)
        done = end
    return "".join([*pieces, text[done:]]), places + spans[done:]


def _resolve(match: re.Match[str]) -> str:
    if units := match["units"]:
        numbers = (int(unit, 16) for unit in re.findall(r"[0-9a-f]{4}", units, re.IGNORECASE))
        return b"".join(number.to_bytes(2, "big") for number in numbers).decode("utf-16-be", "replace")
    if code := match["wide"] or match["braced"] or match["byte"]:
        number = int(code, 16)
        return chr(number) if number <= 0x10FFFF else match[0]
    if match["itself"]:
        return match["itself"]
    return unquote(match[0]) if match["percent"] else html.unescape(match[0])


def _find(text: str, word: str) -> Iterator[tuple[int, int]]:
    """Yield where a secret stands in a text: from, to. At the text's end its first letters suffice."""
    at = text.find(word)
    while at >= 0:
        yield at, at + len(word)
        at = text.find(word, at + len(word))
    begun = text.rfind(word[:SHORTEST_SECRET])
    if begun >= 0 and len(text) - begun < len(word) and word.startswith(text[begun:]):
        yield begun, len(text)


def _insert_stand_ins(text: str, places: _Spans, stand_in: str) -> str:
    pieces, done = [], 0
    for start, end in places:
        if start >= done:
            pieces += [text[done:start], stand_in]
        done = max(done, end)
    return "".join([*pieces, text[done:]])
