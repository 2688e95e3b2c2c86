"""Asks the brokers whether they, and this account's rights, allow what a run does, without doing it.

Only in a process that follows no stream: `kafka/connectivity.py` says what would end one that does.
"""

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclOperation
from confluent_kafka.cimpl import NewTopic

from connector.clock import Clock
from connector.errors import BrokerFatal, BrokerUnavailable
from connector.kafka.client import Settings, cause, create, unavailable
from connector.kafka.cluster import described
from connector.kafka.topic_names import TopicSpec
from connector.kafka.transaction import Transactions

_HINT: Final = "docs/operations.md lists every ACL, ready for kafka-acls"
_DENIED: Final = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED}
_OF_TOPICS: Final = {AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS, AclOperation.READ, AclOperation.WRITE}


class Lack(msgspec.Struct, frozen=True, order=True):
    """A missing right: an operation, by Kafka's name, and what it is missing on."""

    resource: str
    operation: str

    def __str__(self) -> str:
        return f"{self.operation} on {self.resource}"


class Rights:
    """Asks the brokers. Every method raises `BrokerUnavailable`, or `BrokerFatal` for anything else they refuse."""

    def __init__(self, client: Settings, *, clock: Clock, timeout: float = 10.0) -> None:
        self._client = client
        self._clock = clock
        self._timeout = timeout
        self._admin = create(AdminClient, client)

    def on_topics(self, specs: Iterable[TopicSpec]) -> list[Lack]:
        """Return what is missing on topics that exist, and to create those that do not.

        Raises what a policy of the cluster, or its number of brokers, refuses. Whether a topic yet to be created may be
        written to cannot be asked.
        """
        return [lack for spec in specs for lack in self._on_topic(spec)]

    def to_join(self, group: str) -> list[Lack]:
        """Return what is missing to be a member of a consumer group, whether it exists or not."""
        return self._on_group(group, AclOperation.READ)

    def to_name(self, group: str) -> list[Lack]:
        """Return what is missing to name a group without joining it, as a consumer that only reads does."""
        return self._on_group(group, AclOperation.DESCRIBE)

    def on_transactions(self, transactional_id: str, timeout: float) -> list[Lack]:
        """Return what is missing on a transactional id: by starting to use it, as a stream's next owner would.

        A current owner is fenced, and recovers within seconds. What a dead one has left open is aborted, as the next
        run would do. Raises `BrokerFatal` for a `timeout` above what the brokers allow.
        """
        transactions = Transactions(
            self._client, transactional_id, timeout=timeout, max_message_bytes=1_000_000, clock=self._clock
        )
        try:
            transactions.fence(self._timeout)
        except BrokerFatal as error:
            refused = error.__cause__
            code = cause(refused).code() if isinstance(refused, KafkaException) else None
            if code != KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
                raise
            return [Lack(f"transactional id {transactional_id}", "DESCRIBE or WRITE")]
        finally:
            transactions.close()
        return []

    def _on_group(self, group: str, needed: AclOperation) -> list[Lack]:
        try:
            granted = described(self._admin, group, self._timeout, self._clock, authorized=True).authorized_operations
        except KafkaException as error:
            if cause(error).code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                return _lacking(f"group {group}", {needed}, [])
            raise unavailable(f"describing group {group}", error) from error
        return _lacking(f"group {group}", {needed}, granted)

    def _on_topic(self, spec: TopicSpec) -> list[Lack]:
        topics = self._admin.describe_topics(
            TopicCollection([spec.name]), include_authorized_operations=True, request_timeout=self._timeout
        )
        try:
            granted = self._result(topics[spec.name]).authorized_operations
        except KafkaException as error:
            if cause(error).code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return self._on_creation(spec)
            if cause(error).code() in _DENIED:
                return _lacking(f"topic {spec.name}", _OF_TOPICS, [])
            raise unavailable(f"describing topic {spec.name}", error) from error
        return _lacking(f"topic {spec.name}", _OF_TOPICS, granted)

    def _on_creation(self, spec: TopicSpec) -> list[Lack]:
        topic = NewTopic(spec.name, spec.partitions, spec.replication_factor, config=dict(spec.config))
        try:
            self._result(self._admin.create_topics([topic], validate_only=True)[spec.name])
        except KafkaException as error:
            if cause(error).code() in _DENIED:
                return [Lack(f"topic {spec.name}", "CREATE")]
            if cause(error).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise unavailable(f"checking whether topic {spec.name} may be created", error) from error
        return []

    def _result(self, future: Future[Any]) -> Any:
        try:
            return future.result(2 * self._timeout)
        except TimeoutError as error:
            raise BrokerUnavailable(f"Kafka did not answer within {2 * self._timeout:.0f} s") from error


def check(lacks: Iterable[Lack]) -> None:
    """Raise `BrokerFatal` if a right is missing; it names every one."""
    if missing := ", ".join(str(lack) for lack in sorted(lacks)):
        raise BrokerFatal(f"this account lacks {missing}", hint=f"grant it; {_HINT}")


def _lacking(resource: str, needed: set[AclOperation], granted: Iterable[AclOperation] | None) -> list[Lack]:
    """Return what is missing: nothing if the brokers do not say what they grant (None)."""
    return [] if granted is None else [Lack(resource, each.name) for each in sorted(needed - {*granted}, key=str)]
