"""What every vendor does with an item: texts fit for keys, times, numbers, and dead letters for the unreadable."""

import pytest

from connector.cms import item
from connector.errors import MalformedItem, SourceUnavailable
from connector.model.change import Change, DeadLetter
from connector.model.checkpoint import Position
from connector.model.page import Frame
from tests.values import published

AFTER = Position(cursor="c2", page=3)


def parse(raw: bytes) -> Change:
    """Parse a number as the entry with that id."""
    if raw.startswith(b"{"):
        raise MalformedItem("the item is an object", item_type="Entry", item_id="e9")
    return published(f"e{int(raw)}")


def test_what_can_be_parsed_is_a_change_and_the_rest_a_dead_letter() -> None:
    """Each in the order of the response; whatever is wrong with an item does not affect its neighbours."""
    page = item.read(Frame([b"1", b"{}", b"x", b"2"], AFTER, caught_up=False), parse)
    assert [change.key.id for change in page.changes] == ["e1", "e2"]
    assert page.dead_letters[0] == DeadLetter(b"{}", "the item is an object", item_type="Entry", item_id="e9")
    assert (page.dead_letters[1].raw, page.dead_letters[1].item_type) == (b"x", None)


@pytest.mark.parametrize("caught_up", [True, False])
def test_a_page_has_the_position_of_its_frame(*, caught_up: bool) -> None:
    """Also without items: it advances the position, and says whether there is more."""
    page = item.read(Frame([], AFTER, caught_up), parse)
    assert (page.changes, page.dead_letters, page.position, page.caught_up) == ((), (), AFTER, caught_up)


@pytest.mark.parametrize("value", ["a", " ", "\u2028", "日本語", "\U0001f600", "0"])
def test_a_text_is_returned_as_it_is(value: str) -> None:
    """Nothing is trimmed or normalised: a key is the vendor's own text."""
    assert item.text(value) == value


@pytest.mark.parametrize("value", ["", None, 7, True, b"a", ["a"], "a\0b", "\ud83d", "a\udc00"])
def test_what_no_key_can_carry_is_not_a_text(value: object) -> None:
    """Nothing, other types, a NUL, and lone surrogates, for which UTF-8 has no bytes."""
    assert item.text(value) is None


@pytest.mark.parametrize("value", [0, -1, 2**63 - 1, -(2**63)])
def test_a_whole_number_that_fits_a_long_is_returned(value: int) -> None:
    """Up to both ends of what Avro's long holds."""
    assert item.whole(value) == value


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 1.0, "1", True, None])
def test_no_other_number_is_whole(value: object) -> None:
    """It does not fit a column of longs; JSON's true is not a number, though Python's is."""
    assert item.whole(value) is None


def test_a_moment_is_read_only_from_a_usable_text() -> None:
    """Anything else gives no time, and raises nothing."""
    found = item.moment("1970-01-01T00:00:01Z")
    assert found is not None
    assert found.micros == 1_000_000
    assert [item.moment(value) for value in ("1970-01-01T00:00:01\0Z", "", 5, None)] == [None] * 4


def test_an_id_that_no_key_can_carry_is_malformed() -> None:
    """The error names the type, which is known, and never what was found."""
    assert item.identified("Entry", "e1") == "e1"
    with pytest.raises(MalformedItem, match="no usable id") as caught:
        item.identified("Entry", "e\0secret")
    assert (caught.value.item_type, caught.value.item_id) == ("Entry", None)
    assert "secret" not in str(caught.value)


PAGE = b'{"items":[{"a":1}, 2 ],"next":"n\\u0041","more":true}'


def test_a_page_is_cut_into_its_items_and_the_values_asked_for() -> None:
    """Items as they are written, other members by value, None for what is missing."""
    assert item.cut(PAGE, "items", "next", "absent") == ([b'{"a":1}', b"2"], ["nA", None])
    assert item.cut(b'{"next":1}', "items", "next") == (None, [1])


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"items":{}}', b'{"items":[1,2}', b"<html>", b'{"a":1,"a":2}'])
def test_what_is_not_a_page_may_be_one_next_time(body: bytes) -> None:
    """Something in between has answered, or broken the answer off."""
    with pytest.raises(SourceUnavailable, match="not a sync page"):
        item.cut(body, "items")
