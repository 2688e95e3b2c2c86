"""The spool: oldest first whatever the walk's order, in memory or in a file; only the last page moves the cursor."""

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.cms.spool import Spool
from connector.errors import LocalTrouble
from connector.model.change import Change, DeadLetter
from connector.model.checkpoint import Position
from connector.model.page import SyncPage
from tests.values import page, published, removed

START = Position(phase="streaming", cursor="start")
END = START.advance(cursor="end", caught_up=True)
LETTER = DeadLetter(b"{}", "odd", item_type="Entry")


def spooled(
    *pages: SyncPage, newest_first: bool = False, memory_bytes: int = 2**20, items: int = 1000, size: int = 2**20
) -> list[SyncPage]:
    """Return what a spool makes of the pages of a walk."""
    with Spool(newest_first=newest_first, memory_bytes=memory_bytes) as spool:
        for one in pages:
            spool.add(one)
        return list(spool.pages(START, END, items=items, size=size))


def walk(*items: Change | DeadLetter, size: int = 2) -> list[SyncPage]:
    """Return items as the pages of a walk, in their order."""
    chunks = [items[at : at + size] for at in range(0, len(items), size)]
    return [page(*chunk, after=START) for chunk in chunks]


def order(pages: list[SyncPage]) -> list[str]:
    """Return the ids of all changes, in order."""
    return [change.key.id for one in pages for change in one.changes]


def test_a_newest_first_walk_is_reversed() -> None:
    """What the API delivers newest first is published oldest first, across all pages."""
    pages = walk(*[published(f"e{second}", second) for second in (5, 4, 3, 2, 1)])
    assert order(spooled(*pages, newest_first=True)) == ["e1", "e2", "e3", "e4", "e5"]


def test_any_order_is_sorted_by_the_clock() -> None:
    """The API's order is a habit, not a promise."""
    assert order(spooled(*walk(*[published(f"e{second}", second) for second in (3, 5, 1, 4, 2)]))) == [
        "e1", "e2", "e3", "e4", "e5",
    ]  # fmt: skip


@pytest.mark.parametrize(("newest_first", "expected"), [(False, ["a", "b", "c"]), (True, ["c", "b", "a"])])
def test_equal_clocks_keep_the_order_of_the_walk(expected: list[str], *, newest_first: bool) -> None:
    """A release shares one clock: its items stay in the walk's oldest-first order."""
    pages = walk(*[published(each, 1) for each in "abc"])
    assert order(spooled(*pages, newest_first=newest_first)) == expected


def test_items_without_a_clock_keep_their_place() -> None:
    """They stay behind the item they followed, wherever that is sorted to."""
    items = [published("b", 2), published("x", None), published("a", 1), published("y", None), published("c", 3)]
    assert order(spooled(*walk(*items))) == ["a", "y", "b", "x", "c"]


def test_items_without_a_clock_at_the_start_stay_there() -> None:
    """There is nothing before them to follow."""
    assert order(spooled(*walk(published("x", None), published("b", 2), published("a", 1)))) == ["x", "a", "b"]


def test_only_the_last_page_moves_the_cursor() -> None:
    """Earlier ones carry the old cursor, marked as open: a crash between them reads the walk again."""
    pages = spooled(*walk(*[published(f"e{each}", each) for each in range(5)]), items=2)
    assert [(each.position.cursor, each.position.walk_open) for each in pages] == [
        ("start", True), ("start", True), ("end", False),
    ]  # fmt: skip
    assert [each.caught_up for each in pages] == [False, False, True]
    assert [len(each.changes) for each in pages] == [2, 2, 1]


def test_an_empty_walk_is_one_empty_page() -> None:
    """There is always a last page, and it moves the cursor."""
    assert spooled(*walk()) == [SyncPage((), END, caught_up=True)]


def test_pages_are_bounded_in_bytes() -> None:
    """A page ends before it exceeds the bound; only a single item may."""
    items = [published(f"e{each}", each, raw=bytes(100)) for each in range(4)]
    big = published("big", 9, raw=bytes(1000))
    pages = spooled(*walk(*items, big), size=250)
    assert [len(each.changes) for each in pages] == [2, 2, 1]


def test_dead_letters_travel_along() -> None:
    """A walk loses no dead letter, in memory or in a file."""
    pages = walk(published("e2", 2), LETTER, published("e1", 1))
    for memory_bytes in (0, 2**20):
        (one,) = spooled(*pages, memory_bytes=memory_bytes)
        assert one.dead_letters == (LETTER,)
        assert [change.key.id for change in one.changes] == ["e1", "e2"]


ITEMS = st.lists(
    st.builds(published, st.sampled_from("abc"), st.integers(0, 5) | st.none(), raw=st.binary(max_size=40))
    | st.builds(
        removed, st.sampled_from("abc"), st.integers(0, 5) | st.none(), scope=st.sampled_from(["key", "entity"])
    )
    | st.builds(DeadLetter, st.binary(max_size=9), st.text(st.characters(codec="utf-8"), max_size=5)),
    max_size=12,
)


@given(items=ITEMS, newest_first=st.booleans(), limit=st.integers(1, 4), memory_bytes=st.integers(0, 200))
def test_a_file_gives_what_memory_gives(
    items: list[Change | DeadLetter], *, newest_first: bool, limit: int, memory_bytes: int
) -> None:
    """Spilled at any point, the pages are the same to the last byte."""
    pages = walk(*items)
    in_memory = spooled(*pages, newest_first=newest_first, items=limit)
    assert spooled(*pages, newest_first=newest_first, items=limit, memory_bytes=memory_bytes) == in_memory


@given(items=ITEMS, newest_first=st.booleans())
def test_nothing_is_lost_and_clocks_never_run_back(items: list[Change | DeadLetter], *, newest_first: bool) -> None:
    """All items come out once, and those with a clock in order."""
    (one,) = spooled(*walk(*items), newest_first=newest_first)
    out = [*one.changes, *one.dead_letters]
    assert sorted(map(repr, out)) == sorted(map(repr, items))
    clocks = [change.changed_at.text for change in one.changes if change.changed_at]
    assert all(earlier <= later for earlier, later in pairwise(clocks))


def test_leaving_the_spool_removes_its_file() -> None:
    """No disk space outlives a walk, whether it ended well or not."""
    with Spool(newest_first=True, memory_bytes=0) as spool:
        spool.add(page(published(), after=START))
        file = spool._file
        assert file
        assert not file.closed
    assert file.closed


def test_without_a_temporary_folder_the_walk_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As with a read-only root: the message says what is missing, and which variable names another folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(LocalTrouble, match=r"temporary file of a large walk: No such file") as caught:
        spooled(*walk(published("e1", 1)), memory_bytes=0)
    assert "TMPDIR" in caught.value.hint
    (tmp_path / "gone").mkdir()
    assert order(spooled(*walk(published("e1", 1)), memory_bytes=0)) == ["e1"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
@pytest.mark.parametrize("items", [1, 5000])
def test_after_a_full_disk_the_walk_is_tried_again(monkeypatch: pytest.MonkeyPatch, items: int) -> None:
    """Wherever it shows, while the walk is collected or returned: no other error comes out."""

    def on_full_disk(**_: object) -> IO[bytes]:
        return Path("/dev/full").open("w+b")

    monkeypatch.setattr(tempfile, "TemporaryFile", on_full_disk)
    with pytest.raises(LocalTrouble, match="No space left") as caught:
        spooled(*walk(*[published(f"e{number}", 1) for number in range(items)]), memory_bytes=0)
    assert "TMPDIR" in caught.value.hint
