"""Points in time as CMSs write them."""

import pytest

from connector.simulator.timestamp import iso, milliseconds


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00.000Z", 0),
        ("1970-01-02T00:00:00.001Z", 86_400_001),
        ("1969-12-31T23:59:59.999Z", -1),
        ("2000-03-01T00:00:00.000Z", 951_868_800_000),
    ],
)
def test_milliseconds_are_written_and_read(text: str, ms: int) -> None:
    """Milliseconds in UTC, also before 1970."""
    assert (iso(ms), milliseconds(text)) == (text, ms)


@pytest.mark.parametrize(
    "text", ["1970-01-02", "1970-01-02T00:00", "1970-01-02T02:00+02:00", "1970-01-02T00:00:00.000999Z"]
)
def test_other_spellings_are_read_too(text: str) -> None:
    """UTC unless the text says otherwise; anything finer than a millisecond is cut off."""
    assert milliseconds(text) == 86_400_000


def test_text_that_is_not_a_time_is_an_error() -> None:
    """It is not guessed at."""
    with pytest.raises(ValueError, match="yesterday"):
        milliseconds("yesterday")
