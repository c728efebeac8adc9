"""A key in the answers of a server, in every spelling that programs write."""

from __future__ import annotations

import base64
import html
import json
import random
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.answers.masking import KEY_IN_ADDRESS, Mask

KEYS = [
    "sk-plain0123456789",
    "sk-ab/cd+ef=&\"gh'ij",
    "schlüssel-größe-😀-key",
    "back\\slash%41<tag>",
    "Bearer sk-with-a-scheme",
]


def escaped(text):
    return json.dumps(text)[1:-1]


def units(text):
    """All characters as JSON escapes, some in lower and some in upper case."""
    raw = text.encode("utf-16-be")
    pairs = [raw[at : at + 2].hex() for at in range(0, len(raw), 2)]
    return "".join(f"\\u{pair.upper() if at % 2 else pair}" for at, pair in enumerate(pairs))


SPELLINGS = {
    "plain": str,
    "JSON": escaped,
    "JSON in JSON": lambda key: escaped(escaped(key)),
    "JSON of PHP": lambda key: escaped(key).replace("/", "\\/"),
    "JSON of .NET": lambda key: "".join(c if c.isalnum() and c.isascii() else units(c) for c in key),
    "JSON, all of it": units,
    "JSON, all of it, in JSON": lambda key: escaped(units(key)),
    "JSON, not ASCII alone": lambda key: json.dumps(key, ensure_ascii=False)[1:-1],
    "percent": lambda key: quote(key, safe=""),
    "percent, lower case": lambda key: "".join(f"%{byte:02x}" for byte in key.encode()),
    "percent of a form": quote_plus,
    "percent of percent": lambda key: quote(quote(key, safe=""), safe=""),
    "percent in JSON": lambda key: escaped(quote(key, safe="")),
    "HTML": html.escape,
    "HTML of HTML": lambda key: html.escape(html.escape(key)),
    "HTML, decimal": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "HTML, hexadecimal": lambda key: "".join(f"&#x{ord(c):X};" for c in key),
    "Python": lambda key: repr(key)[1:-1],
    "Python, ASCII": lambda key: ascii(key)[1:-1],
    "Python, bytes": lambda key: repr(key.encode())[2:-1],
    "read as Latin-1": lambda key: key.encode().decode("latin-1"),
    "read as ASCII": lambda key: key.encode().decode("ascii", "replace"),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 of Basic": lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
    "base64 of Bearer, for addresses": lambda key: base64.urlsafe_b64encode(f"Bearer {key}!".encode()).decode(),
}


def rest_of(key):
    return key.split()[-1]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("key", KEYS)
def test_every_spelling_is_hidden(key, spelling):
    spelled = SPELLINGS[spelling](rest_of(key))
    shown = Mask((key,)).hide(f"before {spelled} after {spelled}, end")

    assert shown.startswith("before ")
    assert shown.endswith(", end")
    assert " after " in shown
    assert spelled not in shown
    assert shown.count("***") == 2
    # the rest of the base64 text depends on the letters around the key
    assert len(shown) <= len("before *** after ***, end") + (30 if "base64" in spelling else 0)


LETTERS = st.characters(exclude_categories=("C", "Z"), exclude_characters="\\%&")


@given(st.text(LETTERS, min_size=8, max_size=40))
def test_a_key_in_mixed_spellings_is_hidden(key):
    chance = random.Random(key)
    ways = [lambda c: c, units, lambda c: quote(c, safe=""), lambda c: f"&#{ord(c)};"]
    spelled = "".join(chance.choice(ways)(c) for c in key)

    assert Mask((key,)).hide(f"({spelled})") == "(***)"


@pytest.mark.parametrize(
    "text", ["", "nothing", "C:\\users\\new", "100 %", "a&b", "\\u12", "%", "\\", "&#99999999;", "\\u{fffffff}"]
)
def test_text_without_the_key_stays_unchanged(text):
    assert Mask(("sk-plain0123456789",)).hide(text) == text


@given(st.text(), st.text())
def test_text_beside_the_key_stays(before, after):
    key = "sk-plain0123456789"
    assert Mask((key,)).hide(f"{before} {key} {after}") == f"{before} *** {after}"


def test_the_beginning_of_a_key_at_the_end_of_a_cut_text_is_hidden():
    mask = Mask(("sk-plain0123456789",))
    assert mask.hide("refused: sk-plain012") == "refused: ***"
    assert mask.hide("refused: sk-pl") == "refused: sk-pl"


def test_short_keys_are_not_hidden():
    assert Mask(("EMPTY", "x")).hide("EMPTY boxes") == "EMPTY boxes"


def test_masking_a_text_takes_little_time():
    mask = Mask(("sk-plain0123456789",))
    begun = time.process_time()
    for unit in ("\\", "%41", "\\u0041", "&amp;", "sk-plain", "sk-plain0123456789", "\\\\u005cu0041", "%25"):
        mask.hide((unit * 16_384)[:16_384])
    assert time.process_time() - begun < 5


def test_the_mask_does_not_show_its_secrets():
    assert "sk-" not in repr(Mask(("sk-plain0123456789",)))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("spelling", ["percent", "percent, lower case", "percent of percent"])
def test_an_address_is_stored_without_the_key_and_requested_with_it(key, spelling):
    mask = Mask((rest_of(key),))
    spelled = SPELLINGS[spelling](rest_of(key))
    kept = mask.hide_in_url(f"https://api.example.com/f/v.mp4?token={spelled}&x=1")

    assert kept == f"https://api.example.com/f/v.mp4?token={KEY_IN_ADDRESS}&x=1"
    assert mask.restore_in_url(kept) == f"https://api.example.com/f/v.mp4?token={quote(rest_of(key), safe='')}&x=1"
