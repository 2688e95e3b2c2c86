"""Requests and responses as values."""

import pytest

from connector.simulator.message import Request, json_array


@pytest.mark.parametrize(
    ("header", "credential"),
    [("Bearer abc", "abc"), ("bearer a b", "a b"), ("Basic abc", None), ("abc", None), ("", None), ("Bearer", "")],
)
def test_a_bearer_is_distinguished_from_other_schemes(header: str, credential: str | None) -> None:
    """The scheme's case does not matter."""
    assert Request("GET", "/", {}, {"authorization": header}).bearer == credential


def test_without_a_header_there_is_no_bearer() -> None:
    """Even if a credential is elsewhere."""
    assert Request("GET", "/", {"access_token": "abc"}, {}).bearer is None


def test_encoded_items_become_an_array() -> None:
    """Byte for byte; no items give an empty array."""
    assert json_array([b'{"a": 1.10}', b"2"]) == b'[{"a": 1.10},2]'
    assert json_array([]) == b"[]"
