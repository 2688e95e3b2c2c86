"""Webhook calls between processes, on the real broker: what one writes all others read, and nothing is committed."""

import threading

import pytest
from confluent_kafka import Consumer, TopicPartition

from connector.clock import SYSTEM
from connector.devservers.broker import Broker
from connector.kafka import webhook_relay
from connector.kafka.connectivity import Link
from connector.kafka.topics import Topics
from connector.kafka.webhook_relay import Call, Handover


def test_every_process_hears_what_another_writes(kafka: Broker, prefix: str) -> None:
    """Listeners join no group, leave no offset behind, and stop within seconds."""
    client = dict(kafka.client)
    spec = webhook_relay.spec(prefix, 1)
    Topics(client, SYSTEM).ensure(spec)
    heard = [(threading.Event(), list[bytes]()) for _ in range(2)]

    def listen(event: threading.Event, values: list[bytes]) -> Link:
        def took(value: bytes) -> None:
            values.append(value)
            event.set()

        return Link(
            client, spec.name, clock=SYSTEM, changed=lambda _error, _seconds: None, wake_ups=spec.name, heard=took
        )

    links = [listen(event, values) for event, values in heard]
    for link in links:
        link.start()
    writer = Handover(client, spec.name)
    for event, values in heard:
        # A listener that starts at the end may not be ready yet.
        while not event.wait(0.5):
            assert writer.send(Call("blog", "e1"))
        assert webhook_relay.read(values[0]) == Call("blog", "e1")
    for link in links:
        assert link.alive
        link.stop(10)
        assert not link.alive
    consumer = Consumer({**client, "group.id": "contentwire-link"})
    (committed,) = consumer.committed([TopicPartition(spec.name, 0)], timeout=10)
    consumer.close()
    assert committed.offset < 0


def test_a_call_without_a_thread_to_send_it_is_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sender learns that, and may send the identical call again; a traceback would count it as accepted."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert not Handover({"bootstrap.servers": "127.0.0.1:1"}, "wake-ups").send(Call("blog"))
