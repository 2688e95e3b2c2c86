"""What every Kafka client of ours shares: its settings, and what its errors mean."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException

from connector import limits
from connector.errors import BrokerFatal, BrokerUnavailable, ConfigError, ConnectorError, LocalTrouble

Settings = Mapping[str, str]
T = TypeVar("T")

_REACH: Final = "check [kafka] bootstrap_servers, that the brokers run and that they can be reached from here"
_LEADER: Final = "check that every broker runs: a partition has no leader, or too few replicas"
_INTERNAL: Final = (
    "if this persists, the brokers cannot create or reach their internal topics: see their log, "
    "offsets.topic.replication.factor and transaction.state.log.replication.factor"
)
_LOGIN: Final = "check sasl.mechanism, sasl.username and sasl.password in [kafka] client"
_DELEGATED: Final = "check the delegation token in [kafka] client: it may have expired, or never been valid here"
_OLD: Final = "the broker is too old, or has this switched off: contentwire needs Kafka 3.6 or newer"
_RIGHTS: Final = "docs/operations.md lists every ACL; contentwire check names what is missing"
_LARGE: Final = "raise max.message.bytes of the topic, or lower max_message_bytes in [kafka]"
_GROUP: Final = "the group is contentwire's alone: stop whatever else has joined it, or choose another prefix"
_CLOCK: Final = (
    "set this machine's clock: it differs from the brokers' by more than the topic allows "
    "(message.timestamp.after.max.ms, message.timestamp.before.max.ms)"
)

# What trying again does not change: the stream stops, but still tries again every few minutes.
_REFUSALS: Final[Mapping[int, str]] = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: f"allow Create, Describe, DescribeConfigs, Read and Write on it; {_RIGHTS}",
    KafkaError.GROUP_AUTHORIZATION_FAILED: (
        f"allow Read on the group <prefix>.connectors, Describe on the groups contentwire-*; {_RIGHTS}"
    ),
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: (
        f"allow Describe and Write on the transactional ids under <prefix>.; {_RIGHTS}"
    ),
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: f"allow what is refused on the cluster; {_RIGHTS}",
    KafkaError.DELEGATION_TOKEN_AUTHORIZATION_FAILED: _DELEGATED,
    KafkaError.DELEGATION_TOKEN_AUTH_DISABLED: _DELEGATED,
    KafkaError.DELEGATION_TOKEN_EXPIRED: _DELEGATED,
    KafkaError.DELEGATION_TOKEN_NOT_FOUND: _DELEGATED,
    KafkaError.DELEGATION_TOKEN_OWNER_MISMATCH: _DELEGATED,
    KafkaError.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: _DELEGATED,
    KafkaError.SASL_AUTHENTICATION_FAILED: _LOGIN,
    KafkaError.ILLEGAL_SASL_STATE: "check security.protocol and sasl.mechanism in [kafka] client",
    KafkaError.UNSUPPORTED_SASL_MECHANISM: "set sasl.mechanism in [kafka] client to one that the brokers have enabled",
    KafkaError.UNSUPPORTED_VERSION: _OLD,
    KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT: "remove message.format.version from the topic: it is older than headers",
    KafkaError.UNSUPPORTED_COMPRESSION_TYPE: 'set "compression.type" in [kafka] client to one that the brokers know',
    KafkaError.POLICY_VIOLATION: (
        "the cluster has a policy for new topics: fit replication_factor, partitions and topic_config in [kafka] to "
        "it, or let an administrator create the topic as docs/message-contract.md says"
    ),
    KafkaError.TOPIC_EXCEPTION: (
        "Kafka does not accept this name, or another topic's differs only in . and _: choose another prefix"
    ),
    KafkaError.INVALID_PARTITIONS: "correct partitions in [kafka]",
    KafkaError.INVALID_REPLICATION_FACTOR: (
        "set replication_factor in [kafka] to at most the number of brokers (-1: the brokers' default), "
        "and check that every broker runs"
    ),
    KafkaError.INVALID_REPLICA_ASSIGNMENT: "check that every broker runs",
    KafkaError.INVALID_CONFIG: "the message names the setting: correct topic_config in [kafka]",
    KafkaError.INVALID_TRANSACTION_TIMEOUT: (
        "lower transaction_timeout in [kafka], or raise transaction.max.timeout.ms of the brokers"
    ),
    KafkaError.INVALID_SESSION_TIMEOUT: (
        'set "session.timeout.ms" in [kafka] client between group.min.session.timeout.ms and '
        "group.max.session.timeout.ms of the brokers"
    ),
    KafkaError.INVALID_GROUP_ID: "choose another prefix in [kafka]: the group is <prefix>.connectors",
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: _GROUP,
    KafkaError.UNSUPPORTED_ASSIGNOR: _GROUP,
    KafkaError.GROUP_MAX_SIZE_REACHED: "start fewer processes, or raise group.max.size of the brokers",
    KafkaError.MSG_SIZE_TOO_LARGE: _LARGE,
    KafkaError.INVALID_MSG_SIZE: _LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE: "raise segment.bytes of the topic, or lower max_message_bytes in [kafka]",
    KafkaError._AUTHENTICATION: _LOGIN,
    KafkaError._SSL: (
        'check "ssl.ca.location" in [kafka] client, that the broker\'s certificate names its host and is valid by this '
        "machine's clock, and that security.protocol is the listener's"
    ),
    KafkaError._INVALID_ARG: "correct [kafka] client: the names and values are librdkafka's",
    KafkaError._NOT_IMPLEMENTED: "leave this setting out of [kafka] client: the library was built without it",
    KafkaError._UNSUPPORTED_FEATURE: _OLD,
}

# What may pass by itself. A code in neither table counts as one of these, without a hint.
_TRANSIENT: Final[Mapping[int, str]] = {
    KafkaError.INVALID_TIMESTAMP: _CLOCK,
    # The client also reports this for several records with a wrong timestamp in one batch.
    KafkaError.INVALID_RECORD: f"{_CLOCK}; or the brokers validate records of this topic: see their log",
    KafkaError.KAFKA_STORAGE_ERROR: "look at the brokers' disks: one is full or broken",
    KafkaError.LOG_DIR_NOT_FOUND: "look at the brokers' disks: one is full or broken",
    KafkaError.INVALID_MSG: "records arrive damaged: look at the network and at the brokers' log",
    KafkaError.NOT_ENOUGH_REPLICAS: _LEADER,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND: _LEADER,
    KafkaError.LEADER_NOT_AVAILABLE: _LEADER,
    KafkaError.REPLICA_NOT_AVAILABLE: _LEADER,
    KafkaError.LISTENER_NOT_FOUND: "a broker does not offer the listener that bootstrap_servers leads to",
    KafkaError.COORDINATOR_NOT_AVAILABLE: _INTERNAL,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS: _INTERNAL,
    KafkaError.THROTTLING_QUOTA_EXCEEDED: "a quota of the cluster is used up for now: it is tried again",
    KafkaError.UNKNOWN: "the brokers' log says what happened",
    KafkaError.BROKER_NOT_AVAILABLE: _REACH,
    KafkaError.NETWORK_EXCEPTION: _REACH,
    KafkaError.REQUEST_TIMED_OUT: _LEADER,
    KafkaError._RESOLVE: (
        "a name in [kafka] bootstrap_servers, or one that a broker advertises (advertised.listeners), is unknown here"
    ),
    KafkaError._TRANSPORT: f"{_REACH}; and that security.protocol is the listener's",
    KafkaError._ALL_BROKERS_DOWN: _REACH,
    KafkaError._TIMED_OUT: _REACH,
    KafkaError._TIMED_OUT_QUEUE: _REACH,
    KafkaError._MSG_TIMED_OUT: _LEADER,
    KafkaError._WAIT_COORD: _INTERNAL,
    KafkaError._CRIT_SYS_RESOURCE: "raise the process's limits on this machine: open files, threads, memory",
    KafkaError._FS: "a file that [kafka] client names cannot be read",
}
_UNANSWERED: Final = {
    KafkaError.BROKER_NOT_AVAILABLE,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
}

# Its own threads, its coordinators', and a few for what else the process starts; each broker named takes one more.
_THREADS_OF_A_CLIENT: Final = 8
_making = threading.Lock()


def create(make: Callable[..., T], client: Settings) -> T:
    """Return a client made with the operator's settings; raises `ConfigError` if the library refuses them.

    Raises `LocalTrouble` if this machine has no threads or files left for it.
    """
    try:
        return construct(make, client)
    except KafkaException as error:
        check_machine(error)
        raise ConfigError(
            f"[kafka] client: the Kafka library refuses the settings: {describe(cause(error))}",
            hint="the names and values are librdkafka's: see its CONFIGURATION.md",
        ) from error


def construct(make: Callable[..., T], client: Settings, **options: Any) -> T:
    """Return a client; raises `LocalTrouble` if this machine has no threads for it, else what the library raises.

    librdkafka ends the process (an assertion in `rd_kafka_broker_add_logical`) if it is refused a broker's thread while
    making a client: so clients are made one at a time, after checking that there are enough.
    """
    with _making:
        limits.expect_threads(_THREADS_OF_A_CLIENT + len(client.get("bootstrap.servers", "").split(",")))
        return make(dict(client), **options)


def check_machine(error: KafkaException) -> None:
    """Raise `LocalTrouble` if a client could not be made because this machine has no thread or file for it."""
    if cause(error).code() == KafkaError._CRIT_SYS_RESOURCE:
        message = f"this machine refuses a Kafka client: {describe(cause(error))}"
        raise LocalTrouble(message, hint=hint(cause(error))) from error


def cause(error: KafkaException | SystemError) -> KafkaError:
    """Return the Kafka error inside an exception.

    The client raises a fatal error from wherever it serves events, and reports it as SystemError, with or without its
    cause, if that was during delivery reports.
    """
    if isinstance(error, SystemError):
        if not isinstance(error.__cause__, KafkaException):
            return KafkaError(KafkaError._FATAL, "a fatal error during delivery reports", fatal=True)
        error = error.__cause__
    inner = error.args[0]
    assert isinstance(inner, KafkaError)
    return inner


def describe(error: KafkaError) -> str:
    """Return an error's name and text: broker and topic names, never content."""
    return f"{error.name()}: {error.str()}"


def hint(error: KafkaError) -> str:
    """Return what to do about an error, by its code; an empty text if it only has to be tried again."""
    code = error.code()
    return _REFUSALS.get(code) or _TRANSIENT.get(code, "")


def refused(error: KafkaError) -> bool:
    """Return whether an error is a refusal, which trying again does not change."""
    return error.code() in _REFUSALS


def unavailable(doing: str, error: KafkaException | KafkaError) -> ConnectorError:
    """Return what an error outside a transaction means: a permanent refusal, or a broker that cannot serve us now."""
    inner = cause(error) if isinstance(error, KafkaException) else error
    what = f"{doing}: {describe(inner)}"
    if refused(inner):
        return BrokerFatal(f"Kafka refused while {what}", hint=hint(inner))
    how = "did not answer" if inner.code() in _UNANSWERED else "could not serve us"
    return BrokerUnavailable(f"Kafka {how} while {what}", hint=hint(inner))


def explained(doing: str, error: KafkaException, seen: Sequence[KafkaError]) -> ConnectorError:
    """Return why a request got no answer, which its `error` does not say; `seen` is what `error_cb` received."""
    telling = [each for each in seen if each.code() != KafkaError._ALL_BROKERS_DOWN]
    meanings = [unavailable(doing, each) for each in telling or seen]
    refusals = [meaning for meaning in meanings if isinstance(meaning, BrokerFatal)]
    return (refusals or meanings or [unavailable(doing, error)])[0]
