"""How long an answer asks to wait."""

import httpx
import pytest

from connector.cms.retry_after import moment, seconds, until, wait

DATE = "Wed, 01 May 2024 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "Wed, 01 May 2024 10:00:30 GMT", "Date": DATE}, 30),
        ({"Retry-After": "Wed, 01 May 2024 09:00:00 GMT", "Date": DATE}, 1),
        ({"Retry-After": "Fri, 03 May 2024 10:00:00 GMT", "Date": DATE}, 86_400),
        ({"Retry-After": "Wed, 01 May 2024 10:00:30 GMT"}, None),
        ({"Retry-After": "soon", "Date": DATE}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "1e99"}, 86_400),
        ({}, None),
    ],
)
def test_a_wait_is_read_in_either_form(headers: dict[str, str], expected: float | None) -> None:
    """Seconds, or a date relative to the answer's own clock, a day at most; nonsense means nothing."""
    assert wait(httpx.Headers(headers)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("1.5", 1.5), (" 3 ", 3), ("-0.1", None), ("nan", None), ("inf", None), ("1 s", None), ("", None)],
)
def test_seconds_are_a_number_one_can_wait(text: str, expected: float | None) -> None:
    """Neither negative nor infinite."""
    assert seconds(text) == expected
    assert seconds(None) is None


def test_an_http_date_is_read_and_nothing_else() -> None:
    """Seconds since 1970; what is not a date raises nothing."""
    assert moment("Thu, 01 Jan 1970 00:01:00 GMT") == 60
    assert [moment(text) for text in ("", "now", "Thu, 99 Jan 1970 00:01:00 GMT")] == [None] * 3


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"reset": "1714557630", "date": "Wed, 01 May 2024 10:00:00 GMT"}, 30),
        ({"reset": "1714557000", "date": "Wed, 01 May 2024 10:00:00 GMT"}, 1),
        ({"reset": "soon", "date": "Wed, 01 May 2024 10:00:00 GMT"}, 1),
        ({"reset": "1714557630"}, 1),
        ({}, 1),
    ],
)
def test_a_time_of_reset_is_relative_to_the_answer(headers: dict[str, str], expected: float) -> None:
    """By the other side's clock, never by ours; a second at least."""
    assert until(headers, "reset") == expected
