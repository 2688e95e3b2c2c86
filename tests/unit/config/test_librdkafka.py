"""The client settings that are the operator's, and those that exactly-once delivery depends on."""

import pytest

from connector.config import librdkafka


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("transactional.id", "fence"),
        ("enable.idempotence", "exactly-once"),
        ("acks", "exactly-once"),
        ("isolation.level", "read back"),
        ("auto.offset.reset", "read back"),
        ("enable.partition.eof", "read back"),
        ("group.id", "which process owns"),
        ("group.protocol", "which process owns"),
        ("partition.assignment.strategy", "which process owns"),
        ("enable.auto.commit", "checkpoint is the position"),
        ("partitioner", "murmur2_random"),
        ("bootstrap.servers", "bootstrap_servers"),
        ("transaction.timeout.ms", "transaction_timeout"),
        ("message.timeout.ms", "transaction_timeout"),
        ("socket.timeout.ms", "transaction_timeout"),
        ("message.max.bytes", "max_message_bytes"),
        ("log.connection.close", "coordinator connection"),
        ("log_cb", "function"),
        ("key.serializer", "Java"),
        ("ssl.truststore.password", "ssl.ca.location"),
    ],
)
def test_settings_that_delivery_depends_on_are_refused_with_the_reason(name: str, reason: str) -> None:
    """Each setting that contentwire owns is refused with the reason, or with what to set instead."""
    assert reason in str(librdkafka.refusal(name))


@pytest.mark.parametrize(
    "name",
    ["security.protocol", "sasl.mechanism", "ssl.ca.location", "compression.type", "session.timeout.ms", "debug"],
)
def test_security_compression_and_pace_are_the_operators(name: str) -> None:
    """Settings without a bearing on delivery may be set, as plain values."""
    assert librdkafka.refusal(name) is None
    assert not librdkafka.is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "sasl.password",
        "ssl.key.password",
        "ssl.keystore.password",
        "ssl.key.pem",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.assertion.private.key.passphrase",
    ],
)
def test_credentials_are_recognised(name: str) -> None:
    """The client's own credentials are secrets, which are never written into the file."""
    assert librdkafka.is_secret(name)
