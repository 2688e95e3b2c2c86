"""What becomes of a change, case by case: stale, repeated, unchanged, or published."""

import msgspec
import pytest

from connector.events.index import IndexEntry
from connector.events.verdict import Standpoint, is_stale, skip_reason
from connector.model import timestamp
from connector.model.change import Change
from connector.model.timestamp import micros
from tests.values import published, removed

OLD, NEW = "2024-01-01T00:00:00Z", "2024-06-01T00:00:00Z"


def known(clock: str | None = OLD, revision: int | None = 1, **members: object) -> IndexEntry:
    """Return what an index knows of a live key."""
    entry = IndexEntry(True, "published", "post", revision, micros(clock), b"d" * 16, 1, None, content=b"c" * 16)
    return msgspec.structs.replace(entry, **members)


def change(clock: str | None, revision: int | None, *, gone: bool = False) -> Change:
    """Return a change of the key."""
    made = removed() if gone else published()
    return msgspec.structs.replace(made, changed_at=timestamp.read(clock), revision=revision)


@pytest.mark.parametrize(
    ("coming", "entry", "stale"),
    [
        (change(NEW, 1), known(OLD), False),
        (change(OLD, 1), known(OLD), False),
        (change(OLD, 1), known(NEW), True),
        (change(OLD, 2), known(NEW, 1), False),
        (change(OLD, 1), known(NEW, 2), True),
        (change(OLD, None), known(NEW, 1), True),
        (change(OLD, 2), known(NEW, None), True),
        (change(None, 1), known(NEW, 2), False),
        (change(OLD, 1), known(None, 2), False),
        (change(OLD, 99, gone=True), known(NEW, 1), True),
        (change(OLD, 2), known(NEW, 1, live=False, change_type="deleted"), True),
    ],
)
def test_a_change_is_stale_where_nothing_about_it_is_newer(coming: Change, entry: IndexEntry, *, stale: bool) -> None:
    """Neither the clock nor the revision; a marker's revision counts something else and proves nothing."""
    assert is_stale(coming, entry) is stale


@pytest.mark.parametrize(
    ("content", "digest", "snapshot", "reason"),
    [
        (b"c" * 16, b"other", True, "unchanged"),
        (b"x" * 16, b"other", True, None),
        (b"x" * 16, b"d" * 16, True, "unchanged"),
        (b"c" * 16, b"other", False, None),
        (b"c" * 16, b"d" * 16, False, "repeated"),
    ],
)
def test_equal_versions_prove_nothing_about_content(
    content: bytes, digest: bytes, reason: str | None, *, snapshot: bool
) -> None:
    """In a snapshot what the entity says decides; in a delta every item counts that is not the very last one again."""
    coming = msgspec.structs.replace(change(OLD, 1), digest=digest)
    at = Standpoint(snapshot, 2, rebased=False)
    assert skip_reason(coming, content, known(), at, republish=False) == reason


def test_a_record_of_an_earlier_release_knows_no_content() -> None:
    """It is published once more where the item is written otherwise, for nothing proves that it is the same."""
    coming = msgspec.structs.replace(change(OLD, 1), digest=b"other")
    at = Standpoint(snapshot=True, epoch=2, rebased=False)
    entry = known(content=None)
    assert skip_reason(coming, b"c" * 16, entry, at, republish=False) is None
