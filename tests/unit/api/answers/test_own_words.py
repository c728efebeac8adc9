"""Texts of an order are found in the texts of a server in every spelling. Other texts stay."""

from __future__ import annotations

import html
import json
import textwrap
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.answers.own_words import OwnWords

PROMPT = (
    "A workplace safety clip: moderation of “quarrels”,\nnaïve and prohibited, on a wet train \\ track "
    "审核违规内容的电影 at 5 %"
)
LONG = " ".join(f"{PROMPT} (scene {number})" for number in range(12))
REASON_WORDS = ("safety", "moderation", "prohibited", "审核", "违规")

SPELLINGS = {
    "as it is": str,
    "in quotation marks": lambda text: f'"{text}"',
    "as Python writes it": repr,
    "as Python writes it in ASCII": ascii,
    "as JSON": json.dumps,
    "as JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False),
    "as JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "as HTML": html.escape,
    "as HTML in numbers": lambda text: text.encode("ascii", "xmlcharrefreplace").decode(),
    "as HTML in HTML": lambda text: html.escape(html.escape(text)),
    "as an address": quote,
    "in capitals": str.upper,
    "in small letters": str.lower,
    "wrapped": lambda text: textwrap.fill(text, 20),
    "as one line": lambda text: " ".join(text.split()),
    "without punctuation": lambda text: "".join(letter if letter.isalnum() else " " for letter in text),
    "without accents": lambda text: text.replace("ï", "i"),
    "with question marks for accents": lambda text: text.encode("ascii", "replace").decode(),
    "shortened to 200 letters": lambda text: text[:200] + "…",
    "shortened to 31 letters": lambda text: text[:31] + "...",
    "shortened in a word": lambda text: f"'{text[:16]}'",
    "the end of it": lambda text: "…" + text[-90:],
    "a part of it": lambda text: f"'{text[60:200]}'",
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("prompt", [PROMPT, LONG], ids=["short", "long"])
def test_a_quotation_is_removed_in_every_spelling(spell, prompt):
    left = OwnWords((prompt,)).remove_from(f"Generation failed for {spell(prompt)} since memory ran out.").lower()
    assert not [word for word in REASON_WORDS if word in left]
    assert "generation failed" in left
    assert "memory ran out" in left


@pytest.mark.parametrize(
    ("own", "text"),
    [
        ("a workplace safety clip", "Blocked by our safety system."),
        ("a workplace safety clip", "The content filter (safety) refused the clip."),
        ("a clip about content policy", "Content policy violation"),
        ("the insufficient balance of nature", "Insufficient balance"),
        ("trains", "rai refused it"),
        ("审核员的一天", "内容审核未通过"),
        ("", "safety"),
        ("5", "error 5: safety"),
    ],
)
def test_the_servers_own_words_stay(own, text):
    assert OwnWords((own,)).remove_from(text) == text


@pytest.mark.parametrize(
    ("own", "text", "left"),
    [
        ("gem-rai", "model group 'gem-rai' failed", "model group ' … ' failed"),
        ("gem-rai", "model group GEM_RAI failed", "model group  …  failed"),
        ("safety", "no such preset: safety", "no such preset:  … "),
        ("safety first, a clip", "cannot read 'safety' of it", "cannot read ' … ' of it"),
        ("safety first, a clip", "cannot read safety…", "cannot read  … …"),
        ("a b c d", "a b c d; a b c d", " …  …  …  … ; …  …  …  … "),
    ],
)
def test_short_texts_are_found_as_a_whole_or_in_quotation_marks(own, text, left):
    found = OwnWords((own,)).remove_from(text)
    assert found.replace(" … ", "").strip() == left.replace(" … ", "").strip()


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("connection reset by peer", True),
        ("400: connection reset by peer, no answer", True),
        ("the prompt 'connection reset by peer' is too short", False),
    ],
)
def test_a_sure_quotation_of_a_short_text_needs_quotation_marks(text, stays):
    own = OwnWords(("connection reset by peer",))
    assert ("reset" in own.remove_from(text, surely=True)) is stays


def test_a_sure_quotation_of_a_long_text_needs_no_quotation_marks():
    own = OwnWords(("a clip in which the connection is reset by a peer who has no time left",))
    assert "reset" not in own.remove_from("bad prompt: a clip in which the connection is reset by a p", surely=True)


def test_all_texts_of_an_order_count_except_pictures_and_field_names_of_the_api():
    body = {"prompt": "p q", "image": "data:image/png;base64,AAAA", "metadata": {"negative_prompt": ["safety", 5]}}
    assert OwnWords.of(body, None, "gem").texts == ("image", "metadata", "p q", "negative_prompt", "safety", "gem")


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_can_be_read(own, text):
    words = OwnWords((own,))
    assert isinstance(words.remove_from(text), str)
    assert isinstance(words.cover(text), bool)
    assert OwnWords().remove_from(text) == text


@given(
    st.lists(st.sampled_from(["safety", "rai", "a", "违规", "é", "\u202e", "{", '"', "\\", "\n", "&", "%41", "İ", "𝒮"]))
)
def test_a_quotation_of_any_text_is_removed_completely(parts):
    own = " ".join(parts)
    for spell in (str, json.dumps, repr, ascii, html.escape, str.upper, str.lower):
        left = OwnWords((own,)).remove_from(f'failed: "{spell(own)}"')
        assert not [word for word in ("safety", "违规") if word in left.lower()]


def test_long_texts_take_little_work():
    # a repetition is the worst case; the time would grow with the square of its length
    own = OwnWords(("a " * 8_000 + "safety", "\\" * 8_000))
    assert "safety" not in own.remove_from("a " * 8_000 + "safety")
    assert own.remove_from("\\" * 60_000) == "\\" * 60_000
