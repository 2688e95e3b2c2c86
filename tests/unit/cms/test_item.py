"""What every vendor does with one item: texts fit for keys, times, numbers, and letters for what is not understood."""

import pytest

from connector.cms import item
from connector.errors import MalformedItem
from connector.model.change import Change, DeadLetter
from connector.model.checkpoint import Position
from connector.model.page import Frame
from tests.values import published

AFTER = Position(cursor="c2", page=3)


def understand(raw: bytes) -> Change:
    """Understand numbers, as the entry that is called so."""
    if raw.startswith(b"{"):
        raise MalformedItem("the item is an object", item_type="Entry", item_id="e9")
    return published(f"e{int(raw)}")


def test_what_can_be_understood_is_a_change_and_the_rest_a_letter() -> None:
    """Each in the order of the response; whatever is wrong with an item, its neighbours come through."""
    page = item.read(Frame([b"1", b"{}", b"x", b"2"], AFTER, caught_up=False), understand)
    assert [change.key.id for change in page.changes] == ["e1", "e2"]
    assert page.dead_letters[0] == DeadLetter(b"{}", "the item is an object", item_type="Entry", item_id="e9")
    assert (page.dead_letters[1].raw, page.dead_letters[1].item_type) == (b"x", None)


@pytest.mark.parametrize("caught_up", [True, False])
def test_a_page_stands_where_its_frame_does(*, caught_up: bool) -> None:
    """A page without items too: it advances the position, and says whether there is more."""
    page = item.read(Frame([], AFTER, caught_up), understand)
    assert (page.changes, page.dead_letters, page.position, page.caught_up) == ((), (), AFTER, caught_up)


@pytest.mark.parametrize("value", ["a", " ", "\u2028", "日本語", "\U0001f600", "0"])
def test_a_text_is_returned_as_it_is(value: str) -> None:
    """Nothing is trimmed or normalised: a key is the vendor's own text."""
    assert item.text(value) == value


@pytest.mark.parametrize("value", ["", None, 7, True, b"a", ["a"], "a\0b", "\ud83d", "a\udc00"])
def test_what_no_key_can_carry_is_no_text(value: object) -> None:
    """Nothing, other types, a NUL, and halves of surrogate pairs, which UTF-8 has no bytes for."""
    assert item.text(value) is None


@pytest.mark.parametrize("value", [0, -1, 2**63 - 1, -(2**63)])
def test_a_whole_number_that_fits_a_long_is_returned(value: int) -> None:
    """Up to both ends of what Avro's long holds."""
    assert item.whole(value) == value


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 1.0, "1", True, None])
def test_no_other_number_is_whole(value: object) -> None:
    """A column of longs has no room for it; JSON's true is no number, though Python's is."""
    assert item.whole(value) is None


def test_a_moment_is_read_from_a_usable_text_alone() -> None:
    """Anything else says nothing of a time, and raises nothing."""
    found = item.moment("1970-01-01T00:00:01Z")
    assert found is not None
    assert found.micros == 1_000_000
    assert [item.moment(value) for value in ("1970-01-01T00:00:01\0Z", "", 5, None)] == [None] * 4


def test_an_id_that_no_key_can_carry_is_malformed() -> None:
    """The error tells the type, which is known, and never what was found."""
    assert item.identified("Entry", "e1") == "e1"
    with pytest.raises(MalformedItem, match="no usable id") as caught:
        item.identified("Entry", "e\0secret")
    assert (caught.value.item_type, caught.value.item_id) == ("Entry", None)
    assert "secret" not in str(caught.value)
