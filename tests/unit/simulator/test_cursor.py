"""Cursors as opaque text: what a client gets reveals nothing and cannot be altered."""

import pytest

from connector.simulator.cursor import BadCursorError, Cursor, Seal


@pytest.mark.parametrize("text", ["", "é", "AAAA", "x" * 200])
def test_text_from_elsewhere_is_not_a_cursor(text: str) -> None:
    """Neither is one that was altered, or sealed with another secret."""
    with pytest.raises(BadCursorError):
        Seal("secret").open(text)


def test_cursors_cannot_be_read_or_altered() -> None:
    """They reveal nothing of their scope."""
    cursor = Cursor("space/environment", since=5)
    text = Seal("secret").close(cursor)
    assert Seal("secret").open(text) == cursor
    assert "space" not in text
    with pytest.raises(BadCursorError):
        Seal("other").open(text)
    with pytest.raises(BadCursorError):
        Seal("secret").open(text[:-2] + ("AA" if text[-2:] != "AA" else "BB"))


def test_equal_cursors_give_equal_text() -> None:
    """A page requested again has the same continuation; a nonce distinguishes cursors of the same position."""
    one, again = Cursor("s", since=5, before=None), Cursor("s", since=5, before=None)
    assert Seal("secret").close(one) == Seal("secret").close(again)
    assert Seal("secret").close(one) != Seal("secret").close(Cursor("s", since=5, nonce=1))


def test_parameters_are_frozen_in_a_cursor() -> None:
    """Those of the request that began the walk; any other is None."""
    cursor = Cursor("s", query=(("limit", "7"), ("type", "Entry")))
    opened = Seal("secret").open(Seal("secret").close(cursor))
    assert (opened.param("limit"), opened.param("type"), opened.param("locale")) == ("7", "Entry", None)
