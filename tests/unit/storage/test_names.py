"""Each title becomes a name that every storage takes, or is refused before the order; each ID becomes a name."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import hypothesis
import pytest
from airflow.providers.common.compat.sdk import Asset, ObjectStoragePath
from hypothesis import strategies

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.storage import destinations, files, names
from airflow_provider_veo.storage.local import LocalTarget
from tests.support.mp4_boxes import make_video
from tests.support.odd_names import CAT, IDS, TITLES

VIDEO = make_video()
LETTERS = strategies.text(min_size=1, max_size=300)


@pytest.fixture(params=["path", "file://", "memory"])
def base(request, tmp_path, memory, monkeypatch):
    """Return the base of all destinations, in each of its spellings."""
    text = {"path": str(tmp_path), "file://": f"file://{tmp_path}", "memory": memory}[request.param]
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", text)
    return text


def stored_at(target):
    with target.staged() as part:
        part.write_bytes(VIDEO)
    return files.find_stored(target)


def found_by(path):
    """Return the path of a result, as other code opens it."""
    return ObjectStoragePath(path) if "://" in path else Path(path)


def path_of_uri(uri, base):
    """Return the path of the file to which an asset's URI leads."""
    path = unquote(urlsplit(uri).path)
    return f"/{urlsplit(base).netloc}{path}" if base.startswith("memory") else path


def test_each_title_is_stored_under_its_own_name_or_refused(base, memory):
    addresses, refused = {}, []
    for title in TITLES:
        try:
            target = destinations.resolve(f"shows/{title}.mp4")
        except InvalidInputError:
            refused.append(title)
            continue
        stored = stored_at(destinations.resolve(f"shows/{title}.mp4", name="v"))
        assert stored.path == str(target)
        assert found_by(stored.path).read_bytes() == VIDEO
        assert Asset(uri=stored.uri).uri == stored.uri
        where = found_by(stored.path)
        assert path_of_uri(stored.uri, base) == getattr(where, "path", str(where))
        addresses.setdefault(stored.uri, []).append(os.path.normpath(f"shows/{title}.mp4"))
    assert all(len(set(titles)) == 1 for titles in addresses.values()), "two titles, one file"
    assert {"Episode #1", "Who are you?", "100% wool", "[take 1]", CAT * 4, "x" * 246} & set(refused) == set()
    assert {"line\nbreak", "zero\0", "half \ud83d", "_veo/salvage/x", "_VEO/x", CAT * 5, "x" * 252} <= set(refused)
    assert len(TITLES) >= 60


def test_each_id_is_stored_under_a_different_name(base):
    found = {}
    for template in ("by_id/", "{video_id}/{video_id}.{video_id}.mp4", "_{video_id}/x.mp4", "bare/{video_id}"):
        destinations.resolve(template)
        for video_id in IDS:
            stored = stored_at(destinations.resolve(template, name=video_id))
            assert found.setdefault(stored.path, video_id) == video_id
            assert found_by(stored.path).read_bytes() == VIDEO
            assert names.OURS not in stored.path.split("/")
            assert all(len(part.encode()) <= 250 for part in stored.path.split("/"))
        assert len({str(destinations.resolve(template, name=video_id)) for video_id in IDS}) == len(IDS)


@pytest.mark.parametrize("video_id", ["video_1", "a.b=c-d", "猫", "x" * 246, "_"])
def test_an_id_that_every_storage_takes_is_kept(video_id):
    assert destinations.resolve("/videos/", name=video_id) == LocalTarget(Path(f"/videos/{video_id}.mp4"))


@pytest.mark.parametrize("video_id", ["x" * 500, "猫" * 200, "gen/1", "..", ""])
@pytest.mark.parametrize("beside", ["", "a", "b" * 100, "猫" * 50, "b" * 228])
def test_an_id_is_shortened_to_the_space_in_its_part_of_the_path(video_id, beside):
    target = destinations.resolve(f"/videos/{beside}{{video_id}}.mp4", name=video_id)
    assert len(target.name.encode()) <= 250
    assert "~" in target.name
    assert target.path.parent == Path("/videos")


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
        ("/videos/_veo/a.mp4", "part '_veo' is the folder of this provider's own files"),
        ("memory://bucket/a/../b.mp4", "part '..' leads up"),
        ("memory://bucket/a//b.mp4", "two slashes"),
        ("/videos/a.veo-part", "ends like the name of an incomplete file"),
        ("file://opt/videos/a.mp4", r"leads to the machine 'opt'.*did you mean file:///opt/videos/a.mp4\?"),
    ],
)
def test_a_name_that_no_file_can_have_is_refused_before_the_order(memory, destination, complaint):
    with pytest.raises(InvalidInputError, match=f"(?s)^destination .*{complaint}"):
        destinations.resolve(destination)


@pytest.mark.parametrize("scheme", ["abfs", "abfss", "adl", "az"])
@pytest.mark.parametrize("part", ["a.", "a..", "a\\"])
def test_azure_keeps_no_dot_at_the_end_of_a_name(scheme, part):
    rule = names.NameRule(scheme, 1024, f"{scheme}://bucket", "destination 'x'")
    with pytest.raises(InvalidInputError, match="Azure does not keep"):
        rule.fill([part, "a.mp4"], None)
    assert rule.fill(["{video_id}"], part)[0].startswith(names.clean_beginning(part, 9) + "~")


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
def test_only_a_whole_uri_is_decoded(uri, path, monkeypatch):
    assert destinations.resolve(uri) == LocalTarget(Path(path))
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", "file:///data%20base/")
    assert destinations.resolve("100%25.mp4") == LocalTarget(Path("/data base/100%25.mp4"))


@hypothesis.given(first=LETTERS, second=LETTERS)
def test_no_two_ids_become_one_name(first, second):
    one, other = (destinations.resolve("/videos/", name=name) for name in (first, second))
    assert (one == other) is (first == second)


@hypothesis.given(title=LETTERS)
def test_the_uri_of_any_file_leads_to_it(title):
    try:
        target = destinations.resolve(f"/videos/{title}.mp4")
    except InvalidInputError:
        return
    assert unquote(urlsplit(target.uri).path) == str(target)


def test_a_folder_may_have_a_pattern_in_its_name(memory):
    """The driver of this storage cannot rename an object."""
    other = destinations.resolve(f"{memory}/a1/x.mp4")
    stored_at(other)
    target = destinations.resolve(f"{memory}/a[0-9]/*.mp4")
    assert stored_at(target).path == str(target)
    assert other.exists()
