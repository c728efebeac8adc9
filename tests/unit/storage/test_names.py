"""Any title becomes a name that every storage takes, or is refused before the order; any id becomes a name."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import hypothesis
import pytest
from airflow.providers.common.compat.sdk import Asset, ObjectStoragePath
from hypothesis import strategies

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.storage import files, names, places, publishing
from tests.support.mp4_boxes import film
from tests.support.odd_names import CAT, IDS, TITLES

FILM = film()
LETTERS = strategies.text(min_size=1, max_size=300)


@pytest.fixture(params=["path", "file://", "memory"])
def base(request, tmp_path, memory, monkeypatch):
    """Return the base of all destinations, in each of its spellings."""
    text = {"path": str(tmp_path), "file://": f"file://{tmp_path}", "memory": memory}[request.param]
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", text)
    return text


def stored_at(target):
    with files.staged(target) as part:
        part.write_bytes(FILM)
    return files.existing(target)


def found_by(path):
    """Return the place that a result names, as other people's code sees it."""
    return ObjectStoragePath(path) if "://" in path else Path(path)


def place_of_address(uri, base):
    """Return the path of the file to which a reader of an asset's address comes."""
    path = unquote(urlsplit(uri).path)
    return f"/{urlsplit(base).netloc}{path}" if base.startswith("memory") else path


def test_each_title_is_stored_under_its_own_name_or_refused(base, memory):
    addresses, refused = {}, []
    for title in TITLES:
        try:
            target = places.resolve(f"shows/{title}.mp4")
        except InvalidInputError:
            refused.append(title)
            continue
        stored = stored_at(places.resolve(f"shows/{title}.mp4", name="v"))
        assert stored.path == str(target)
        assert found_by(stored.path).read_bytes() == FILM
        assert Asset(uri=stored.uri).uri == stored.uri
        where = found_by(stored.path)
        assert place_of_address(stored.uri, base) == getattr(where, "path", str(where))
        addresses.setdefault(stored.uri, []).append(os.path.normpath(f"shows/{title}.mp4"))
    assert all(len(set(titles)) == 1 for titles in addresses.values()), "two titles, one file"
    assert {"Episode #1", "Who are you?", "100% wool", "[take 1]", CAT * 4, "x" * 246} & set(refused) == set()
    assert {"line\nbreak", "zero\0", "half \ud83d", "_veo/salvage/x", "_VEO/x", CAT * 5, "x" * 252} <= set(refused)
    assert len(TITLES) >= 60


def test_each_id_is_stored_and_no_two_become_one(base):
    found = {}
    for template in ("by_id/", "{video_id}/{video_id}.{video_id}.mp4", "_{video_id}/x.mp4", "bare/{video_id}"):
        places.resolve(template)
        for video_id in IDS:
            stored = stored_at(places.resolve(template, name=video_id))
            assert found.setdefault(stored.path, video_id) == video_id
            assert found_by(stored.path).read_bytes() == FILM
            assert names.OURS not in stored.path.split("/")
            assert all(len(part.encode()) <= 250 for part in stored.path.split("/"))
        assert len({str(places.resolve(template, name=video_id)) for video_id in IDS}) == len(IDS)


@pytest.mark.parametrize("video_id", ["video_1", "a.b=c-d", "猫", "x" * 246, "_"])
def test_an_id_that_every_storage_takes_is_kept(video_id):
    assert places.resolve("/videos/", name=video_id) == Path(f"/videos/{video_id}.mp4")


@pytest.mark.parametrize("video_id", ["x" * 500, "猫" * 200, "gen/1", "..", ""])
@pytest.mark.parametrize("beside", ["", "a", "b" * 100, "猫" * 50, "b" * 228])
def test_an_id_is_shortened_into_what_its_part_leaves(video_id, beside):
    target = places.resolve(f"/videos/{beside}{{video_id}}.mp4", name=video_id)
    assert len(target.name.encode()) <= 250
    assert "~" in target.name
    assert target.parent == Path("/videos")


@pytest.mark.parametrize(
    ("destination", "complaint"),
    [
        (
            f"/videos/{CAT * 5}.mp4",
            "its part '一.*' has 259 bytes, and 255 are allowed, 5 of them for the .json of a sidecar",
        ),
        (
            f"/videos/{'b' * 230}{{video_id}}.mp4",
            "has 234 bytes beside {video_id}, which needs 17, and 255 are allowed",
        ),
        (f"/{'/'.join(['b' * 200] * 20)}.mp4", "its whole path has 4023 bytes, and 3840 are allowed"),
        (f"memory://bucket/{'/'.join(['b' * 200] * 6)}", "its whole path has 1205 bytes, and 1024 are allowed"),
        (f"/{'/'.join(['猫' * 80] * 3)}.mp4", "its address, .* has 2[0-9]+ letters, and 1500 are allowed"),
        ("/videos/line\nbreak.mp4", r"part 'line\\nbreak.mp4' holds a line break.*\(U\+000A\)"),
        ("/videos/_veo/a.mp4", "part '_veo' is the folder of what this provider keeps for itself"),
        ("memory://bucket/a/../b.mp4", "part '..' leads up"),
        ("memory://bucket/a//b.mp4", "two slashes"),
        ("/videos/a.veo-part", "ends like the name of an incomplete file"),
        ("file://opt/videos/a.mp4", r"leads to the machine 'opt'.*did you mean file:///opt/videos/a.mp4\?"),
    ],
)
def test_a_name_that_no_file_can_have_is_refused_before_the_order(memory, destination, complaint):
    with pytest.raises(InvalidInputError, match=f"(?s)^destination .*{complaint}"):
        places.resolve(destination)


@pytest.mark.parametrize("scheme", ["abfs", "abfss", "adl", "az"])
@pytest.mark.parametrize("part", ["a.", "a..", "a\\"])
def test_azure_keeps_no_dot_at_the_end_of_a_name(scheme, part):
    rule = names.Rule(scheme, 1024, f"{scheme}://bucket", "destination 'x'")
    with pytest.raises(InvalidInputError, match="Azure does not keep"):
        rule.filled([part, "a.mp4"], None)
    assert rule.filled(["{video_id}"], part)[0].startswith(names.beginning(part, 9) + "~")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///data/a%20b.mp4", "/data/a b.mp4"),
        ("file:///data/Episode #1?.mp4", "/data/Episode #1?.mp4"),
        ("file://localhost/data/a.mp4", "/data/a.mp4"),
        ("FILE:///data/a.mp4", "/data/a.mp4"),
        ("local:///data/100%25.mp4", "/data/100%.mp4"),
    ],
)
def test_only_an_address_that_is_given_whole_is_decoded(uri, path, monkeypatch):
    assert places.resolve(uri) == Path(path)
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", "file:///data%20base/")
    assert places.resolve("100%25.mp4") == Path("/data base/100%25.mp4")


@hypothesis.given(first=LETTERS, second=LETTERS)
def test_no_two_ids_become_one_name(first, second):
    one, other = (places.resolve("/videos/", name=name) for name in (first, second))
    assert (one == other) is (first == second)


@hypothesis.given(title=LETTERS)
def test_the_address_of_any_file_leads_to_it(title):
    try:
        target = places.resolve(f"/videos/{title}.mp4")
    except InvalidInputError:
        return
    assert unquote(urlsplit(places.uri_of(target)).path) == str(target)


def test_a_folder_with_a_pattern_in_its_name(memory):
    """A store whose driver has no way of its own to rename."""
    other = places.resolve(f"{memory}/a1/x.mp4")
    stored_at(other)
    target = places.resolve(f"{memory}/a[0-9]/*.mp4")
    assert stored_at(target).path == str(target)
    assert publishing.exists(other)
