"""A stream's topics as the message contract requires them: names, sizes and settings. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from connector.errors import MalformedItem, ModelRefused
from connector.events import codec
from connector.model.change import ALL_LOCALES, EntityKey

_INT: Final = 0xFFFFFFFF
_MIX: Final = 0x5BD1E995
_DAY_MS: Final = 86_400_000
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_TABLE: Final = "[A-Za-z_][A-Za-z0-9_]*"  # what names are escaped to
_ANY: Final = {"entity_type": "(?:entry|asset|content_type|locale)", "locale": "[A-Za-z0-9._-]+"}


class TopicSpec(msgspec.Struct, frozen=True):
    """A topic as the message contract requires it. `partitions` applies only to a new topic, unless `exact`."""

    name: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str]
    exact: bool = False


def group(prefix: str) -> str:
    """Return the consumer group by whose membership streams are owned."""
    return f"{prefix}.connectors"


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Names, sizes and settings of one stream's topics. `topic` is the template of the changes topics."""

    prefix: str
    connection: str
    topic: str = "{prefix}.{connection}.changes"
    value_schema: codec.Name = "envelope"
    partitions: int = 6
    replication_factor: int = -1
    topic_config: dict[str, str] = {}
    max_message_bytes: int = 8 * 1024 * 1024
    max_letter_bytes: int = 65 * 1024 * 1024
    transaction_timeout: float = 20.0

    @property
    def transactional_id(self) -> str:
        """The stream's transactional id; also the beginning of its topics' names."""
        return f"{self.prefix}.{self.connection}"

    @property
    def state_topic(self) -> str:
        """The topic whose only partition holds checkpoint and index, and stands for ownership."""
        return f"{self.transactional_id}.state"

    @property
    def letters_topic(self) -> str:
        """The topic of dead letters."""
        return f"{self.transactional_id}.dead-letters"

    @property
    def tables_prefix(self) -> str:
        """The beginning of the names of tables' topics."""
        return f"{self.transactional_id}.table."

    @property
    def tables_pattern(self) -> re.Pattern[str]:
        """What the names of all tables' topics match, and no others."""
        return self.tables_named()

    def tables_named(self, *tables: str) -> re.Pattern[str]:
        """Return what the names of these tables' topics match, and no others; those of all tables if none is named."""
        named = "|".join(map(re.escape, tables)) or _TABLE
        return re.compile(f"{re.escape(self.tables_prefix)}(?:{named})")

    def tables_among(self, topics: Iterable[str]) -> list[str]:
        """Return the tables whose topics are among those named, sorted."""
        found = filter(self.tables_pattern.fullmatch, topics)
        return sorted(topic.removeprefix(self.tables_prefix) for topic in found)

    def is_table(self, topic: str) -> bool:
        """Return whether a topic is a table's."""
        return topic.startswith(self.tables_prefix)

    def table_topic(self, table: str) -> str:
        """Return where the rows of a table go; raises `ModelRefused` for a name that Kafka does not accept."""
        name = f"{self.tables_prefix}{table}"
        if not _TOPIC.fullmatch(name):
            raise ModelRefused(
                f"the topic of the table {table} would have a name that Kafka does not accept: it is too long",
                hint="leave the content type out with content_types, or choose a shorter prefix",
            )
        return name

    @property
    def only_topic(self) -> str | None:
        """The only changes topic, None if the template routes by entity type or locale."""
        if "{entity_type}" in self.topic or "{locale}" in self.topic:
            return None
        return self.topic.format(prefix=self.prefix, connection=self.connection)

    @property
    def changes_pattern(self) -> re.Pattern[str]:
        """What the names of all changes topics match, and no others."""
        known = {"prefix": re.escape(self.prefix), "connection": re.escape(self.connection)}
        parts = re.split(r"\{(\w+)\}", self.topic)
        pattern = "".join((known | _ANY)[part] if at % 2 else re.escape(part) for at, part in enumerate(parts))
        reserved = "|".join(map(re.escape, (self.state_topic, self.letters_topic)))
        return re.compile(f"(?!(?:{reserved})$|{re.escape(self.tables_prefix)}){pattern}")

    def changes_among(self, names: Iterable[str]) -> list[str]:
        """Return those of `names` that are changes topics of this stream, sorted."""
        return sorted(filter(self.changes_pattern.fullmatch, names))

    def changes_topic(self, key: EntityKey) -> str:
        """Return where a key's events go: a function of the key only.

        Raises `MalformedItem` for a locale that cannot be part of a topic's name, or makes it another topic of ours.
        """
        locale = "all" if key.locale == ALL_LOCALES else key.locale
        name = self.topic.format(
            prefix=self.prefix, connection=self.connection, entity_type=key.entity_type, locale=locale
        )
        reserved = name in (self.state_topic, self.letters_topic) or self.is_table(name)
        if reserved or not _TOPIC.fullmatch(name):
            raise MalformedItem("the topic template and the item's locale make no valid topic name")
        return name

    def changes_spec(self, topic: str) -> TopicSpec:
        """Return how a changes topic must be: compacted, but slow consumers miss no delete, and for a day no change."""
        config = {
            "cleanup.policy": "compact",
            "delete.retention.ms": str(7 * _DAY_MS),
            "min.compaction.lag.ms": str(_DAY_MS),
            "max.message.bytes": str(self.max_message_bytes),
            **self.topic_config,
        }
        return TopicSpec(topic, self.partitions, self.replication_factor, config)

    def state_spec(self) -> TopicSpec:
        """Return how the state topic must be: one partition, small segments so that compaction reaches them."""
        config = {
            "cleanup.policy": "compact",
            "segment.ms": "3600000",
            "segment.bytes": str(64 * 1024 * 1024),
            "min.cleanable.dirty.ratio": "0.1",
        }
        return TopicSpec(self.state_topic, 1, self.replication_factor, config, exact=True)

    def letters_spec(self) -> TopicSpec:
        """Return how the dead-letters topic must be: 30 days, and room for items that fit nowhere else."""
        config = {
            "cleanup.policy": "delete",
            "retention.ms": str(30 * _DAY_MS),
            "max.message.bytes": str(self.max_letter_bytes),
        }
        return TopicSpec(self.letters_topic, 1, self.replication_factor, config)


def partitioned(key: bytes, partitions: int) -> int:
    """Return the partition that Kafka's own producers choose for a key: murmur2 of its bytes."""
    mixed = (0x9747B28C ^ len(key)) & _INT
    whole = len(key) // 4 * 4
    for at in range(0, whole, 4):
        word = int.from_bytes(key[at : at + 4], "little") * _MIX & _INT
        mixed = mixed * _MIX & _INT ^ (word ^ word >> 24) * _MIX & _INT
    if len(key) > whole:
        mixed = (mixed ^ int.from_bytes(key[whole:], "little")) * _MIX & _INT
    mixed = (mixed ^ mixed >> 13) * _MIX & _INT
    return ((mixed ^ mixed >> 15) & 0x7FFFFFFF) % partitions
