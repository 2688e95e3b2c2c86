"""Webhook calls that are handed on: what of the topic is believed."""

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
    """Whoever may write there can neither end the thread that listens nor wake anything with it."""
    assert read(value) is None


def test_a_call_is_read_as_it_was_written() -> None:
    """Members that a later release adds are left alone."""
    assert read(b'{"connection":"blog","id":"e1","later":[1]}') == Call("blog", "e1")
