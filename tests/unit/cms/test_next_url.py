"""The cursor in a next URL."""

import pytest

from connector.cms.next_url import cursor_of
from connector.errors import SourceUnavailable


@pytest.mark.parametrize(
    ("url", "cursor"),
    [
        ("https://cms.example/sync?sync_token=w5ZGw6JFwqZmVcKsE8Kow4", "w5ZGw6JFwqZmVcKsE8Kow4"),
        ("http://behind.internal/other?a=1&sync_token=x%2By&b=2", "x+y"),
        ("?sync_token=t", "t"),
    ],
)
def test_only_the_cursor_is_taken_from_a_next_url(url: str, cursor: str) -> None:
    """Whatever host or path it names: no request ever goes there."""
    assert cursor_of(url, "sync_token") == cursor


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://cms.example/sync",
        "https://cms.example/sync?sync_token=",
        "https://cms.example/sync?sync_token=a&sync_token=b",
        "https://cms.example/sync?SYNC_TOKEN=a",
        "https://cms.example/sync?sync_token=%ff",
        "https://[cms.example/sync?sync_token=a",
    ],
)
def test_a_next_url_without_one_usable_cursor_is_tried_again(url: str) -> None:
    """Something in between has changed it: no cursor is guessed, and none is shown."""
    with pytest.raises(SourceUnavailable, match="next URL") as caught:
        cursor_of(url, "sync_token")
    assert "cms.example" not in str(caught.value)
