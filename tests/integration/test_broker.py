"""The broker and the registry that tests and the demo run on do what the promise rests on."""

from confluent_kafka.admin import AdminClient

from connector.demo.broker import Broker


def test_broker_answers(kafka: Broker) -> None:
    """The session's broker lists its topics."""
    assert AdminClient(dict(kafka.client)).list_topics(timeout=10).brokers
