"""What every Kafka client of ours shares: its settings, and what its errors mean."""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from confluent_kafka import KafkaError, KafkaException

from connector.errors import BrokerFatal, BrokerUnavailable, ConfigError, ConnectorError

Settings = Mapping[str, str]
T = TypeVar("T")

_REFUSALS: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError._AUTHENTICATION,  # noqa: SLF001  the client's own error codes begin with an underscore
    KafkaError._INVALID_ARG,  # noqa: SLF001  as above
    KafkaError._SSL,  # noqa: SLF001  as above
    KafkaError._UNSUPPORTED_FEATURE,  # noqa: SLF001  as above
    KafkaError.UNSUPPORTED_VERSION,
    KafkaError.POLICY_VIOLATION,
    KafkaError.TOPIC_EXCEPTION,
    KafkaError.INVALID_REPLICATION_FACTOR,
    KafkaError.INVALID_CONFIG,
}


def create(make: Callable[..., T], client: Settings) -> T:
    """Return a client made with the operator's settings; raises `ConfigError` if the library refuses them."""
    try:
        return make(dict(client))
    except KafkaException as error:
        raise ConfigError(
            f"[kafka] client: the Kafka library refuses the settings: {describe(cause(error))}",
            hint="the names and values are librdkafka's: see its CONFIGURATION.md",
        ) from error


def cause(error: KafkaException | SystemError) -> KafkaError:
    """Return the Kafka error inside an exception.

    The client raises a fatal error from wherever it serves events, and reports it as SystemError, with or without its
    cause, when that was amid delivery reports.
    """
    if isinstance(error, SystemError):
        if not isinstance(error.__cause__, KafkaException):
            return KafkaError(KafkaError._FATAL, "a fatal error amid delivery reports", fatal=True)  # noqa: SLF001
        error = error.__cause__
    inner = error.args[0]
    assert isinstance(inner, KafkaError)
    return inner


def describe(error: KafkaError) -> str:
    """Return an error's name and text: broker and topic names, never content."""
    return f"{error.name()}: {error.str()}"


def unavailable(doing: str, error: KafkaException | KafkaError) -> ConnectorError:
    """Return what an error outside a transaction means: a refusal for good, or a broker that does not answer now."""
    inner = cause(error) if isinstance(error, KafkaException) else error
    if inner.code() in _REFUSALS:
        return BrokerFatal(
            f"Kafka refused while {doing}: {describe(inner)}",
            hint="check the credentials, the ACLs and the security settings in [kafka] client",
        )
    return BrokerUnavailable(
        f"Kafka did not answer while {doing}: {describe(inner)}",
        hint="check [kafka] bootstrap_servers and that the brokers can be reached from here",
    )
