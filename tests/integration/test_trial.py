"""`check` sends the CMS the first request of a first run, and finds what a run would meet."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.commands import check_cms
from connector.config.load import load
from connector.errors import SourceRejected
from connector.testing import ManualClock
from connector.wiring import ConfiguredStream
from tests.scriptedcms import ScriptedCms

ENTRY = {
    "sys": {
        "id": "e1",
        "type": "Entry",
        "revision": 1,
        "updatedAt": "2024-05-01T10:00:00.000Z",
        "contentType": {"sys": {"type": "Link", "linkType": "ContentType", "id": "page"}},
    },
    "fields": {},
}
FILTER = 'api_filter = { type = "Entry", content_type = "nope" }'
REFUSED = {"sys": {"type": "Error", "id": "InvalidQuery"}, "details": {"errors": [{"name": "unknownContentType"}]}}


@pytest.fixture(name="cms")
def _cms() -> Iterator[ScriptedCms]:
    with ScriptedCms([ENTRY]).serving() as cms:
        yield cms


def configured(tmp_path: Path, cms: ScriptedCms, *lines: str) -> ConfiguredStream:
    """Return a configured stream that follows the scripted space."""
    path = tmp_path / "contentwire.toml"
    text = '[kafka]\nbootstrap_servers = "k:9092"\n[connections.c]\nvendor = "contentful"\nspace = "s"\n'
    path.write_text(text + f'token = {{ env = "T" }}\nbase_url = "{cms.url}"\n' + "\n".join(lines))
    return ConfiguredStream(load(path, {"T": "token"}), "c")


def test_a_filter_that_the_api_refuses_is_found(tmp_path: Path, cms: ScriptedCms) -> None:
    """The probe does not use the filter: only the first request of a run does."""
    stream = configured(tmp_path, cms, FILTER)
    assert check_cms.concerns(stream) == ["api_filter"]
    assert check_cms.probe(stream)
    cms.refusals = [(400, {}, json.dumps(REFUSED).encode())]
    with pytest.raises(SourceRejected, match=r"it refuses api_filter\.content_type$"):
        check_cms.first_page(stream)
    assert "content_type=nope" in cms.requests[-1]


def test_a_filter_that_matches_nothing_is_reported(tmp_path: Path, cms: ScriptedCms) -> None:
    """Some APIs answer an unknown type with an empty page."""
    cms.initial = []
    _, (remark,) = check_cms.first_page(configured(tmp_path, cms, FILTER))
    assert remark.setting == "api_filter"
    assert check_cms.first_page(configured(tmp_path, cms))[1] == []


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('content_types = ["pages"]', "content_types"),
        ('content_types = ["page", "other"]', None),
        ('entity_types = ["asset"]', "entity_types"),
        ('entity_types = ["entry"]', None),
    ],
)
def test_a_filter_that_leaves_nothing_is_reported(
    tmp_path: Path, cms: ScriptedCms, line: str, named: str | None
) -> None:
    """A misspelt type silently publishes nothing."""
    found, remarks = check_cms.first_page(configured(tmp_path, cms, line))
    assert found == "the API answers an initial sync: 1 items on the first page"
    assert [remark.setting for remark in remarks] == ([named] if named else [])


def test_items_that_cannot_be_read_are_reported(tmp_path: Path, cms: ScriptedCms) -> None:
    """Before they become dead letters, or stop the stream."""
    cms.initial = [ENTRY, {"sys": {"type": "Hologram", "id": "h1"}}]
    for line, follows in (("", "would become dead letters"), ('malformed = "stop"', "would stop the stream")):
        _, (remark,) = check_cms.first_page(configured(tmp_path, cms, line))
        assert (remark.setting, follows in remark.what) == ("malformed", True)


def test_one_refusal_is_doubted(tmp_path: Path, cms: ScriptedCms) -> None:
    """A new key works after a few seconds; a second refusal in a row is believed."""
    stream, clock = configured(tmp_path, cms), ManualClock()
    stream.clock = clock
    cms.refusals = [(401, {}, b"{}")]
    assert check_cms.probe(stream)
    assert clock.monotonic() == 2.0
    cms.refusals = [(401, {}, b"{}"), (401, {}, b"{}")]
    with pytest.raises(SourceRejected):
        check_cms.probe(stream)
    assert cms.refusals == []
