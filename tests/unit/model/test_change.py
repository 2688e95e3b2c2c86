"""Changes: keys without empty parts, and the clock of a change."""

import msgspec
import pytest

from connector.model import timestamp
from connector.model.change import Change, DeadLetter, EntityKey


@pytest.mark.parametrize("place", range(4))
def test_no_part_of_a_key_is_empty(place: int) -> None:
    """An empty part could make two entities one."""
    parts = ["blog", "entry", "e1", "*"]
    parts[place] = ""
    with pytest.raises(ValueError, match="no empty part"):
        EntityKey(*parts)


def test_every_part_distinguishes_keys() -> None:
    """Entities that differ in one part are two, in sets and in sorting; equal ones are one."""
    keys = [
        EntityKey("a", "b", "c", "d"),
        *(EntityKey(*("x" if at == place else "abcd"[at] for at in range(4))) for place in range(4)),
    ]
    assert len({*keys, EntityKey("a", "b", "c", "d")}) == 5
    assert sorted(keys) == sorted(keys, key=msgspec.structs.astuple)


@pytest.mark.parametrize(("text", "clock"), [("1970-01-01T00:00:01.5Z", 1_500_000), ("soon", None), (None, None)])
def test_the_clock_of_a_change_is_a_readable_time(text: str | None, clock: int | None) -> None:
    """In microseconds since 1970; a text that is not a time is kept, but orders nothing."""
    change = Change(EntityKey("blog", "entry", "e1", "*"), "published", b"d" * 16, changed_at=timestamp.read(text))
    assert change.clock == clock


def test_changes_and_dead_letters_are_immutable() -> None:
    """What was passed on cannot be changed behind a reader's back."""
    for value, name in (
        (Change(EntityKey("b", "entry", "e", "*"), "deleted", b""), "raw"),
        (DeadLetter(b"", ""), "raw"),
    ):
        with pytest.raises(AttributeError):
            setattr(value, name, b"x")


def test_a_change_applies_to_its_own_key_unless_it_says_more() -> None:
    """A removal of more than that must name its scope; no default deletes anything."""
    assert Change(EntityKey("b", "entry", "e", "*"), "deleted", b"").scope == "key"
