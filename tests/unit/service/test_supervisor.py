"""The process as it sees itself before it has joined the group."""

import hashlib
import hmac
import io
import json
from pathlib import Path

import pytest

from connector import logs
from connector.cms.webhook import WebhookCall
from connector.kafka import webhook_relay
from connector.kafka.webhook_relay import Call
from connector.service.metrics import Metrics
from connector.service.supervisor import Supervisor, _Revival
from connector.simulator import Simulator
from connector.testing import ManualClock, MemoryStore
from tests.story import Told

SECRET, NOW = "s" * 64, 1_750_000_000.0


def supervisor() -> Supervisor:
    """Return a process with one stream, which it does not own, and a webhook secret."""
    spec = Told(Simulator(entries=1), "contentful", MemoryStore, webhook_secret=SECRET).spec()
    return Supervisor([spec], {}, "contentwire", Metrics(), clock=ManualClock(NOW))


def test_before_kafka_has_answered_no_owner_is_claimed() -> None:
    """`standby` would claim that another process owns it, which only Kafka can know."""
    (status,) = supervisor().status()
    assert (status.state, status.owned) == ("connecting", False)


def signed(path: str, body: bytes = b"{}", at: float = NOW) -> dict[str, str]:
    """Return the headers of a call that Contentful has signed for a path."""
    stamp = str(round(at * 1000))
    headers = {"x-contentful-signed-headers": "x-contentful-timestamp", "x-contentful-timestamp": stamp}
    text = f"POST\n{path}\nx-contentful-timestamp:{stamp}\n".encode() + body
    return headers | {"x-contentful-signature": hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()}


def calls(headers: dict[str, str], *paths: str) -> list[WebhookCall]:
    """Return a call in each form in which it may have been signed."""
    return [WebhookCall(headers, "POST", path, b"{}") for path in paths or ("/webhooks/blog",)]


def test_a_signed_call_is_accepted_once() -> None:
    """Whoever has seen it cannot replay it; a call with a shared secret has nothing unique in it."""
    process = supervisor()
    once = calls(signed("/webhooks/blog"))
    outcomes = [process.wake("blog", once) for _ in range(3)]
    assert [(each.outcome, each.status) for each in outcomes] == [
        ("accepted", 202),
        ("repeated", 202),
        ("repeated", 202),
    ]
    shared = calls({"X-Contentwire-Secret": SECRET})
    assert [process.wake("blog", shared).outcome for _ in range(2)] == ["accepted", "accepted"]
    unknown = process.wake("other", shared)
    assert (unknown.outcome, unknown.status) == ("unknown", 404)


def test_a_path_that_a_gateway_has_cut_is_still_the_signed_one() -> None:
    """The public path is tried as well as the one that arrived."""
    headers = signed("/cms/webhooks/blog?a=b")
    handled = supervisor().wake("blog", calls(headers, "/webhooks/blog?a=b", "/cms/webhooks/blog?a=b"))
    assert handled.outcome == "accepted"


@pytest.mark.parametrize(
    ("headers", "reason", "advice"),
    [
        ({}, "unsigned", "X-Contentwire-Secret"),
        ({"X-Contentwire-Secret": "no"}, "wrong", "public_path"),
        (signed("/elsewhere"), "wrong", "public_path"),
        (signed("/webhooks/blog", at=NOW - 7200), "expired", "clock"),
    ],
)
def test_a_refused_call_leaves_a_trace(headers: dict[str, str], reason: str, advice: str, tmp_path: Path) -> None:
    """A count by reason, and one log line a minute with a hint, however many calls arrive."""
    stream = io.StringIO()
    logs.configure(stream, json=True, level="info", secrets=[SECRET])
    process = supervisor()
    handled = [process.wake("blog", calls(headers)) for _ in range(50)]
    assert {(each.outcome, each.status) for each in handled} == {(reason, 401)}
    labels = {"connection": "blog", "outcome": reason}
    assert process._metrics.registry.get_sample_value("contentwire_webhooks_total", labels) == 50
    (line,) = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (line["level"], line["reason"], advice in line["hint"]) == ("warning", reason, True)
    assert ("seconds_off" in line) == (reason == "expired")
    assert tmp_path.exists()


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"connection": 7}',
        b"\xff",
        b"[" * 100_000,
        b'{"connection": "' + b"x" * 9000 + b'"}',
    ],
)
def test_what_others_write_into_the_topic_of_calls_wakes_nobody(value: bytes) -> None:
    """It is neither an error nor a call."""
    assert webhook_relay.read(value) is None


def test_a_call_is_read_as_it_was_written() -> None:
    """With and without an id; a later release's members do not invalidate it."""
    assert webhook_relay.read(b'{"connection": "blog", "id": "e1", "later": 1}') == Call("blog", "e1")
    assert webhook_relay.read(b'{"connection": "blog"}') == Call("blog")


def test_pauses_grow_while_ends_are_close_together() -> None:
    """One second, two, four, up to five minutes; after five quiet minutes it starts over."""
    revival, now, pauses = _Revival(), 1000.0, []
    for _ in range(12):
        pauses.append(revival.ended(now))
        now += pauses[-1] + 1
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert revival.ended(now + 1000) == 1


def test_every_count_begins_at_zero() -> None:
    """`increase()` must not miss the first dead letter, refusal, failure or webhook call."""
    process = supervisor()
    for name, label, value in (
        ("contentwire_dead_letters_total", "error", "MalformedItem"),
        ("contentwire_retries_total", "error", "BrokerUnavailable"),
        ("contentwire_poll_failures_total", "error", "SourceRejected"),
        ("contentwire_transactions_total", "outcome", "aborted"),
        ("contentwire_webhooks_total", "outcome", "wrong"),
        ("contentwire_events_total", "op", "d"),
    ):
        assert process._metrics.registry.get_sample_value(name, {"connection": "blog", label: value}) == 0
