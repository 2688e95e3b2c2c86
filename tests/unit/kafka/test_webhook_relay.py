"""Webhook calls that are handed on: which records of the topic are believed."""

import pytest

from connector.kafka.webhook_relay import Call, read


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff",
        b'{"connection":"\xff"}',
        b'{"connection":1}',
        b'{"connection":"blog","id":{}}',
        b'{"connection":"blog","id":"\\ud800"}',
        b'{"connection":"blog","x":' + b"[" * 3000,
        b'{"connection":"blog","id":"' + b"x" * 5000 + b'"}',
        b"null",
        b"[]",
    ],
)
def test_what_others_write_into_the_topic_is_no_call(value: bytes) -> None:
    """Whoever can write there can neither end the listening thread nor wake anything with this."""
    assert read(value) is None


def test_a_call_is_read_as_it_was_written() -> None:
    """Members that a later release adds are ignored."""
    assert read(b'{"connection":"blog","id":"e1","later":[1]}') == Call("blog", "e1")
