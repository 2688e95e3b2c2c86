"""What becomes of a change, case by case: stale, repeated, unchanged, or published."""

import msgspec
import pytest

from connector.events.envelope import Origin
from connector.events.index import IndexEntry
from connector.events.policy import Policy
from connector.events.verdict import (
    Case,
    LeftOut,
    Standpoint,
    Verdict,
    is_stale,
    judge,
    op,
    owes_rows,
    skip_reason,
)
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
def test_a_change_is_stale_if_nothing_about_it_is_newer(coming: Change, entry: IndexEntry, *, stale: bool) -> None:
    """Neither its clock nor its revision; a marker's revision counts something else and proves nothing."""
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
    """In a snapshot the content decides; in a delta every item counts except a repetition of the last one."""
    coming = msgspec.structs.replace(change(OLD, 1), digest=digest)
    at = Standpoint(snapshot, 2)
    assert skip_reason(coming, content, known(), at) == reason


def test_a_record_of_an_earlier_release_has_no_content_digest() -> None:
    """If the item is written differently, it is published once more, as nothing proves that it is the same."""
    coming = msgspec.structs.replace(change(OLD, 1), digest=b"other")
    at = Standpoint(snapshot=True, epoch=2)
    entry = known(content=None)
    assert skip_reason(coming, b"c" * 16, entry, at) is None


CATS = Policy(content_types=frozenset({"cat"}))
CAT, DOG = published(content_type="cat"), published(content_type="dog")


@pytest.mark.parametrize(
    ("coming", "entry", "policy", "left_out", "change_type"),
    [
        (CAT, None, CATS, None, "published"),
        (DOG, None, CATS, "filtered", "published"),
        (DOG, known(content_type="cat", epoch=2), CATS, None, "deleted"),
        (DOG, known(content_type="cat", epoch=1), CATS, "filtered", "published"),
        (DOG, known(content_type="cat", live=False, epoch=2), CATS, "filtered", "published"),
        (removed(), None, Policy(), None, "deleted"),
        (removed(), None, Policy(unseen_deletes="suppress"), "unseen_delete", "deleted"),
        (removed(), known(), Policy(unseen_deletes="suppress"), None, "deleted"),
    ],
)
def test_filters_and_policy_are_judged_by_what_is_known(
    coming: Change, entry: IndexEntry | None, policy: Policy, left_out: str | None, change_type: str
) -> None:
    """What this epoch published and no longer passes is removed; what was never live, only if wanted."""
    verdict = judge(Case(coming, "delta", entry, None), Standpoint(snapshot=False, epoch=2), policy)
    assert (verdict.left_out, verdict.change.change_type) == (left_out, change_type)
    assert verdict.unseen == (coming.change_type == "deleted" and entry is None)


def test_a_reconciled_delete_passes_every_filter() -> None:
    """A new filter excludes what consumers hold: exactly that must go."""
    case = Case(removed(), "reconciled", known(content_type="dog"), None)
    assert judge(case, Standpoint(snapshot=False, epoch=2), CATS).left_out is None


@pytest.mark.parametrize(
    ("coming", "origin", "entry", "expected"),
    [
        (CAT, "delta", None, "c"),
        (CAT, "snapshot", None, "r"),
        (CAT, "snapshot", known(), "u"),
        (CAT, "delta", known(live=False), "c"),
        (removed(), "delta", None, "d"),
        (removed(), "snapshot", known(), "d"),
    ],
)
def test_the_operation_follows_from_what_is_known(
    coming: Change, origin: Origin, entry: IndexEntry | None, expected: str
) -> None:
    """Created or read if the key is not live, updated if it is; every removal is a delete."""
    assert op(coming, Case(coming, origin, entry, None)) == expected


@pytest.mark.parametrize(
    ("left_out", "at", "owed"),
    [
        ("unchanged", Standpoint(True, 2, rows=True), True),
        ("unchanged", Standpoint(True, 1, rows=True), False),
        ("unchanged", Standpoint(True, 2), False),
        ("repeated", Standpoint(False, 1, rows=True), True),
        ("repeated", Standpoint(False, 2), False),
        ("stale", Standpoint(True, 2, rows=True), False),
        ("filtered", Standpoint(True, 2, rows=True), False),
        (None, Standpoint(True, 2, rows=True), False),
    ],
)
def test_rows_are_owed_once_in_a_snapshot_that_writes_them(
    left_out: LeftOut | None, at: Standpoint, *, owed: bool
) -> None:
    """Only of what is left out because it is there already: never of an older state."""
    verdict = Verdict(change(OLD, 1), left_out)
    assert owes_rows(verdict, known(epoch=1, rows='["en"]'), at) is owed


def test_a_removal_that_left_rows_standing_is_owed_their_deletes() -> None:
    """Whatever was asked for: it was published while there were no tables."""
    verdict = Verdict(change(OLD, 1, gone=True), "repeated")
    dead = known(live=False, change_type="deleted")
    assert owes_rows(verdict, msgspec.structs.replace(dead, rows='["en"]'), Standpoint(False, 1))
    assert not owes_rows(verdict, dead, Standpoint(False, 1))
