"""The subjects under which a registry keeps the schemas of a connection's topics."""

from collections.abc import Iterator
from typing import Final, get_args

import msgspec

from connector.commands.tables import recorded
from connector.errors import BrokerFatal, ConfigError
from connector.events import codec
from connector.kafka.registry import Registry
from connector.model.change import ALL_LOCALES, EntityKey, EntityType
from connector.wiring import ConfiguredStream

_NO_MODEL: Final = "no content model is recorded yet: the first run with tables registers their schemas"


class Wanted(msgspec.Struct, frozen=True):
    """Subjects with the texts of their schemas; `remark` says which cannot be known yet, if any."""

    subjects: tuple[tuple[str, str], ...]
    remark: str = ""


def registry(stream: ConfiguredStream) -> Registry:
    """Return the registry; raises `ConfigError` if none is configured."""
    if stream.registry is None:
        raise ConfigError(
            "[kafka] registry is not configured: events carry Avro's single-object encoding",
            hint='write registry = { url = "…" } before the first run, or do without: the framing of keys is permanent',
        )
    return stream.registry


def subjects(stream: ConfiguredStream) -> Iterator[tuple[str, codec.Name]]:
    """Yield each subject of a stream with its schema, but for those of its tables.

    If the topic template routes by locale, only topics that exist are known.
    """
    layout = stream.layout
    if "{locale}" in layout.topic:
        topics = stream.changes_topics()
    else:
        keys = [EntityKey(stream.name, kind, "any", ALL_LOCALES) for kind in get_args(EntityType)]
        topics = sorted(set(map(layout.changes_topic, keys)))
    for topic in topics:
        yield f"{topic}-key", "key"
        yield f"{topic}-value", layout.value_schema
    yield f"{layout.letters_topic}-value", "dead_letter"


def wanted(stream: ConfiguredStream) -> Wanted:
    """Return the subjects of a stream; those of its tables as far as its state records their content model.

    Raises what `subjects` and `recorded` raise.
    """
    found = [(subject, codec.text(name)) for subject, name in subjects(stream)]
    tables = recorded(stream)
    for table, schema in tables.items():
        topic = stream.layout.table_topic(table)
        found += [(f"{topic}-key", codec.text("key")), (f"{topic}-value", schema)]
    return Wanted(tuple(found), _NO_MODEL if stream.connection.tables and not tables else "")


def examined(stream: ConfiguredStream) -> Wanted:
    """Return what `wanted` returns, of a stream whose registry has the ids that its records carry.

    Raises `ConfigError` without a registry, and what `PublishedRecords.check_keys` raises.
    """
    registry(stream)
    stream.published().check_keys()
    return wanted(stream)


def register(stream: ConfiguredStream, wanted: Wanted) -> Iterator[tuple[str, int]]:
    """Register the schemas of a stream that was `examined`; yield each subject with its schema's id."""
    at = registry(stream)
    for subject, schema in wanted.subjects:
        yield subject, at.register(subject, schema)


def missing(stream: ConfiguredStream, wanted: Wanted) -> int:
    """Return how many subjects lack our schemas still; all hold or accept them.

    Raises `BrokerFatal` that names the subjects that refuse their schemas, or whose schemas are missing and may not be
    registered. Whether a registry lets this account register can only be found out by doing it.
    """
    at, settings = registry(stream), stream.config.kafka.registry
    lacking = [(subject, schema) for subject, schema in wanted.subjects if at.find(subject, schema) is None]
    if lacking and settings and not settings.may_register:
        raise BrokerFatal(
            f"register = false, and schemas are missing: {', '.join(subject for subject, _ in lacking)}",
            hint="have somebody who may register them run: contentwire schemas register",
        )
    refusing = [subject for subject, schema in lacking if not at.compatible(subject, schema)]
    if refusing:
        raise BrokerFatal(
            f"the schema registry holds incompatible schemas under {', '.join(refusing)}",
            hint="something else has registered there: use another prefix, or remove those subjects",
        )
    return len(lacking)
