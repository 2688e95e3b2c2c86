"""Topics: created when missing, checked when present."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Final

import msgspec
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition, Uuid
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from connector.clock import Clock
from connector.errors import BrokerUnavailable, KeySchemaChanged, TopicMismatch
from connector.kafka.admin import Admin
from connector.kafka.client import Settings, cause, unavailable
from connector.kafka.reader import holds_records
from connector.kafka.sharing import Shared
from connector.kafka.topic_names import TopicSpec
from connector.model.checkpoint import KeySchemaId, KnownTopic

_TIMEOUT: Final = 15.0
_START_OVER: Final = "publish everything again, into a new topic if it is gone: contentwire snapshot NAME --all"
_FILL_AGAIN: Final = "write all rows again, into a new topic if it is gone: contentwire snapshot NAME --tables"
_NO_ID: Final = str(Uuid(0, 0))  # from brokers whose metadata predates topic ids
_OUTDATED: Final = {
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError._NOENT,  # noqa: SLF001  the client's own error codes begin with an underscore
}
_AT_ONCE: Final = 100
_SETTLING_TIME: Final = 2.0  # seconds that a difference must last: a broker may not know a new topic yet


def check_key_schema(recorded: KeySchemaId, now: KeySchemaId, connection: str) -> None:
    """Raise `KeySchemaChanged` if keys would no longer be written as before."""
    if recorded.framing and recorded != now:
        raise KeySchemaChanged(
            f"keys of {connection} were written as {recorded.framing} {recorded.id}, now they would be "
            f"{now.framing} {now.id}: the same entity would land on another partition",
            hint="restore the registry (or its absence) as it was, or start over under another prefix",
        )


class Topics:
    """Manages topics on one cluster. Raises `BrokerUnavailable`, `BrokerFatal` or `TopicMismatch`."""

    def __init__(self, client: Settings, clock: Clock, shared: Shared | None = None) -> None:
        self._client = client
        self._clock = clock
        self._admin = shared.admin if shared else Admin(client)
        self._looks = shared.looks if shared else None

    def end(self, name: str, timeout: float) -> int:
        """Return the offset after the last record of a topic's only partition, open and aborted ones included.

        A read_committed consumer's own watermark is only the last stable offset, which an open transaction of a dead
        owner holds back: reading only up to there would miss what is committed beyond it.
        """
        try:
            return self._end(name, timeout)
        except KafkaException as error:
            if cause(error).code() not in _OUTDATED:
                raise unavailable(f"asking for the end of {name}", error) from error
        # The client remembers the partition's leader and epoch, which a broker refuses after it has restarted: the next
        # client does not.
        try:
            return self._end(name, timeout)
        except KafkaException as error:
            raise unavailable(f"asking for the end of {name}", error) from error

    def end_lately(self, name: str, timeout: float) -> int:
        """Return what `end` did a few seconds ago at most: for whoever looks again and again."""
        found = self._looks.end(name) if self._looks else None
        return self.end(name, timeout) if found is None else found

    def _end(self, name: str, timeout: float) -> int:
        partition, uncommitted = TopicPartition(name, 0), IsolationLevel.READ_UNCOMMITTED
        offsets = {partition: OffsetSpec.latest()}  # type: ignore[no-untyped-call]  # the client is untyped here
        with self._admin.lent() as client:
            found = client.list_offsets(offsets, isolation_level=uncommitted, request_timeout=timeout)
            try:
                return int(found[partition].result(timeout).offset)
            except TimeoutError as error:
                raise BrokerUnavailable(f"Kafka did not say within {timeout:.0f} s where {name} ends") from error

    def find(self, *names: str) -> dict[str, KnownTopic]:
        """Return topics as they are, by name; one that does not exist is left out."""
        found: dict[str, KnownTopic] = {}
        with self._admin.lent() as client:
            for name, future in client.describe_topics(TopicCollection([*names]), request_timeout=_TIMEOUT).items():
                try:
                    topic = _result(future)
                except KafkaException as error:
                    if cause(error).code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                        raise unavailable(f"looking for topic {name}", error) from error
                else:
                    found[name] = _known(topic)
        return found

    def changed(self, seen: Mapping[str, KnownTopic]) -> bool:
        """Return whether a topic seems to differ from what was seen: gone, recreated, or with other partitions."""
        # Together with other streams, as far as possible: what seems to differ is looked at again.
        looks = {name: self._looks.topic(name) if self._looks else None for name in seen}
        doubtful = [name for name, look in looks.items() if look is None or _difference(name, seen[name], _known(look))]
        found = self.find(*doubtful) if doubtful else {}
        return any(_difference(name, seen[name], found.get(name)) for name in doubtful)

    def check_unwritten(self, name: str) -> None:
        """Raise `TopicMismatch` if the topic holds committed records although no checkpoint records it."""
        there = self.find(name).get(name)
        if there and holds_records(self._client, name, there.partitions, self._clock):
            raise TopicMismatch(
                f"topic {name} holds records of which the stream's state knows nothing: it is lost, or others write",
                hint="restore the state topic; or delete this one and restart, to publish everything again",
            )

    def ensure(self, spec: TopicSpec, recorded: KnownTopic | None = None) -> KnownTopic:
        """Create the topic or check it; return it as it is now."""
        if found := self.check(spec, recorded):
            return found
        wanted = msgspec.structs.replace(spec, partitions=recorded.partitions) if recorded else spec
        created, foreign = self._create(wanted)
        # Others may have been quicker, and the cluster slower to say so.
        return (self.check(spec, recorded) if foreign else None) or created[spec.name]

    def ensure_all(self, specs: Iterable[TopicSpec]) -> None:
        """Do for many topics what `ensure` does for one: those that are missing are created many at a time."""
        wanted = {spec.name: spec for spec in specs}
        found = self.find(*wanted) if wanted else {}
        missing = [spec for name, spec in wanted.items() if name not in found]
        others = [*found]
        for start in range(0, len(missing), _AT_ONCE):
            others += self._create(*missing[start : start + _AT_ONCE])[1]
        for name in others:
            self.check(wanted[name])

    def check(self, spec: TopicSpec, recorded: KnownTopic | None = None) -> KnownTopic | None:
        """Return the topic as it is, None if it may be created; it must match `recorded` if that is given."""
        wanted = recorded or (KnownTopic(spec.partitions, replaceable=True) if spec.exact else None)
        believed_at = self._clock.monotonic() + _SETTLING_TIME
        while different := _difference(spec.name, wanted, found := self.find(spec.name).get(spec.name)):
            if self._clock.monotonic() > believed_at:
                raise different
            self._clock.wait(_SETTLING_TIME / 8)
        if found:
            self._check_settings(spec)
        return found

    def differing(self, name: str, wanted: Mapping[str, str]) -> dict[str, str]:
        """Return the settings for which an existing topic has another value, with that value."""
        actual = self._config(name) if wanted else {}
        return {each: actual[each] for each in wanted if each in actual and actual[each] != wanted[each]}

    def _create(self, *specs: TopicSpec) -> tuple[dict[str, KnownTopic], list[str]]:
        """Create topics; return them as they are once they appear, and the names of those that others created first."""
        foreign: list[str] = []
        topics = [
            NewTopic(spec.name, spec.partitions, spec.replication_factor, config=dict(spec.config)) for spec in specs
        ]
        with self._admin.lent() as client:
            for name, future in client.create_topics(topics, operation_timeout=_TIMEOUT).items():
                try:
                    _result(future)
                except KafkaException as error:
                    if cause(error).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                        raise unavailable(f"creating topic {name}", error) from error
                    foreign.append(name)
        deadline = self._clock.monotonic() + _TIMEOUT
        names = [spec.name for spec in specs]
        while missing := sorted({*names} - (found := self.find(*names)).keys()):
            if self._clock.monotonic() > deadline:
                raise BrokerUnavailable(f"topic {missing[0]} was created but does not appear")
            self._clock.wait(0.05)
        return found, foreign

    def _check_settings(self, spec: TopicSpec) -> None:
        """Check the settings that can break the contract; the others are the operator's."""
        actual = self._config(spec.name)
        policy, wanted = actual["cleanup.policy"], spec.config["cleanup.policy"]
        if policy != wanted:
            raise TopicMismatch(
                f"topic {spec.name} has cleanup.policy = {policy}, not {wanted}",
                hint=f"set it: kafka-configs --alter --topic {spec.name} --add-config cleanup.policy={wanted}",
            )
        limit = spec.config.get("max.message.bytes", "0")
        if int(actual["max.message.bytes"]) < int(limit):
            raise TopicMismatch(
                f"topic {spec.name} has max.message.bytes = {actual['max.message.bytes']}, below {limit}",
                hint=f"raise it to {limit}, or lower max_message_bytes in [kafka]",
            )

    def _config(self, name: str) -> dict[str, str]:
        resource = ConfigResource(ResourceType.TOPIC, name)
        try:
            with self._admin.lent() as client:
                entries = _result(client.describe_configs([resource], request_timeout=_TIMEOUT)[resource])
        except KafkaException as error:
            raise unavailable(f"reading the settings of topic {name}", error) from error
        return {entry.name: entry.value for entry in entries.values()}


def _known(topic: Any) -> KnownTopic:
    return KnownTopic(len(topic.partitions), None if str(topic.topic_id) == _NO_ID else str(topic.topic_id))


def _difference(name: str, recorded: KnownTopic | None, found: KnownTopic | None) -> TopicMismatch | None:
    """Return how a topic differs from what was recorded of it, None if it does not."""
    if recorded is None or (found is None and recorded.replaceable):
        return None
    what, hint = ("rows", _FILL_AGAIN) if recorded.table else ("events", _START_OVER)
    if found is None:
        return TopicMismatch(f"topic {name} is gone, with the {what} that were in it", hint=hint)
    if found.partitions != recorded.partitions:
        return TopicMismatch(
            f"topic {name} has {found.partitions} partitions, not {recorded.partitions}: keys would move",
            hint="recreate it with that count, or start over under another prefix or connection name",
        )
    if found.topic_id is not None and recorded.topic_id not in (None, found.topic_id):
        return TopicMismatch(f"topic {name} was deleted and recreated: the {what} that were in it are gone", hint=hint)
    return None


def _result(future: Future[Any]) -> Any:
    try:
        return future.result(2 * _TIMEOUT)
    except TimeoutError as error:
        raise BrokerUnavailable(f"Kafka did not answer within {2 * _TIMEOUT:.0f} s") from error
