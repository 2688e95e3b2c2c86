"""The subjects under which a registry keeps the schemas of a connection's topics."""

from collections.abc import Iterator
from typing import get_args

from connector.errors import BrokerFatal, ConfigError
from connector.events import codec
from connector.kafka.registry import Registry
from connector.model.change import ALL_LOCALES, EntityKey, EntityType
from connector.wiring import ConfiguredStream


def registry(stream: ConfiguredStream) -> Registry:
    """Return the registry; raises `ConfigError` if none is configured."""
    if stream.registry is None:
        raise ConfigError(
            "[kafka] registry is not configured: events carry Avro's single-object encoding",
            hint='write registry = { url = "…" } before the first run, or do without: the framing of keys is permanent',
        )
    return stream.registry


def subjects(stream: ConfiguredStream) -> Iterator[tuple[str, codec.Name]]:
    """Yield each subject of a stream with its schema.

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


def register(stream: ConfiguredStream) -> Iterator[tuple[str, int]]:
    """Register the schemas of a stream; yield each subject with its schema's id.

    Raises what `PublishedRecords.check_keys` raises, before anything is registered.
    """
    at = registry(stream)
    stream.published().check_keys()
    for subject, name in subjects(stream):
        yield subject, at.register(subject, codec.text(name))


def check(stream: ConfiguredStream) -> int:
    """Return how many subjects there are; all hold or accept our schemas. Raises as `register` and `accepted` do."""
    registry(stream)
    stream.published().check_keys()
    return accepted(stream)[0]


def accepted(stream: ConfiguredStream) -> tuple[int, int]:
    """Return how many subjects there are, all of which hold or accept our schemas, and how many lack theirs still.

    Raises `BrokerFatal` that names the subjects that refuse their schemas, or whose schemas are missing and may not be
    registered. Whether a registry lets this account register can only be found out by doing it.
    """
    at, settings = registry(stream), stream.config.kafka.registry
    wanted = list(subjects(stream))
    missing = [(subject, name) for subject, name in wanted if at.find(subject, codec.text(name)) is None]
    if missing and settings and not settings.may_register:
        raise BrokerFatal(
            f"register = false, and schemas are missing: {', '.join(subject for subject, _ in missing)}",
            hint="have somebody who may register them run: contentwire schemas register",
        )
    refusing = [subject for subject, name in missing if not at.compatible(subject, codec.text(name))]
    if refusing:
        raise BrokerFatal(
            f"the schema registry holds incompatible schemas under {', '.join(refusing)}",
            hint="something else has registered there: use another prefix, or remove those subjects",
        )
    return len(wanted), len(missing)
