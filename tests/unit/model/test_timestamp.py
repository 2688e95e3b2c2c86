"""Timestamps as CMSs write them: every documented and recorded form, and everything that is not a time."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.timestamp import micros

DAY = 86_400_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00.000Z", 0),
        ("1970-01-02T00:00:00.001Z", DAY + 1_000),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1969-12-31T23:59:59.999Z", -1_000),
        ("2022-04-16T00:00+02:00", 19_098 * DAY - 2 * 3_600_000_000),
        ("2022-04-16T00:00:00-0130", 19_098 * DAY + 5_400_000_000),
        ("2022-04-16", 19_098 * DAY),
        ("2022-04-16T12:00:00", 19_098 * DAY + DAY // 2),
        ("2017-11-23T00:00:000Z", 17_493 * DAY),
    ],
)
def test_times_are_read_as_microseconds(text: str, expected: int) -> None:
    """Offsets count, a time without one is UTC; days were counted by hand."""
    assert micros(text) == expected


@pytest.mark.parametrize("text", [None, "", "yesterday", "2022-02-30", "2022-04-16T25:00:00Z", "2022-04-16T00:00:60Z"])
def test_what_is_not_a_time_is_none(text: str | None) -> None:
    """It gives no clock and no error."""
    assert micros(text) is None


def test_the_edge_of_the_calendar_is_not_an_error() -> None:
    """A time that its offset moves out of the calendar gives a number or None; it never raises."""
    assert micros("0001-01-01T00:00:00+14:00") is not None
    assert micros("9999-12-31T23:59:59.999999-14:00") is not None


@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.,+Z-]{0,16}"))
def test_no_text_raises(text: str) -> None:
    """Any text gives a number or None."""
    assert micros(text) is None or isinstance(micros(text), int)


@given(st.datetimes(), st.datetimes())
def test_order_is_kept(one: datetime, other: datetime) -> None:
    """The later of two times has the larger number: staleness depends on it."""
    first, second = sorted(f"{each.isoformat(timespec='microseconds')}Z" for each in (one, other))
    earlier, later = micros(first), micros(second)
    assert earlier is not None
    assert later is not None
    assert (first == second) == (earlier == later)
    assert earlier <= later
