"""The subjects under which a registry keeps the schemas of a connection's topics."""

from collections.abc import Iterator
from typing import get_args

from connector import wiring
from connector.config.settings import Config, Connection
from connector.errors import BrokerFatal, ConfigError
from connector.events import codec
from connector.kafka import published
from connector.kafka.registry import Registry
from connector.model.change import ALL_LOCALES, EntityKey, EntityType


def registry(config: Config) -> Registry:
    """Return the registry; raises `ConfigError` where none is configured."""
    found = wiring.registry(config.kafka)
    if found is None:
        raise ConfigError(
            "[kafka] registry is not configured: events carry Avro's single-object encoding",
            hint='write registry = { url = "…" } before the first run, or go without: keys are framed one way for ever',
        )
    return found


def subjects(config: Config, connection: Connection) -> Iterator[tuple[str, codec.Name]]:
    """Yield each subject of a connection with the schema that belongs under it.

    Where the topic template routes by locale, only topics that exist are known.
    """
    layout = wiring.layout(config.kafka, connection)
    if "{locale}" in layout.topic:
        topics = published.topics(config, connection)
    else:
        keys = [EntityKey(connection.name, kind, "any", ALL_LOCALES) for kind in get_args(EntityType)]
        topics = set(map(layout.changes_topic, keys))
    for topic in sorted(topics):
        yield f"{topic}-key", "key"
        yield f"{topic}-value", layout.value_schema
    yield f"{layout.letters_topic}-value", "dead_letter"


def register(config: Config, connection: Connection) -> Iterator[tuple[str, int]]:
    """Register the schemas of a connection; yield each subject with its schema's id.

    Raises what `published.compare` raises, before anything is registered.
    """
    at = registry(config)
    published.compare(config, connection, at)
    for subject, name in subjects(config, connection):
        yield subject, at.register(subject, codec.text(name))


def check(config: Config, connection: Connection) -> int:
    """Return how many subjects hold or accept our schemas: all. Raises as `published.compare` and `accepted` do."""
    at = registry(config)
    published.compare(config, connection, at)
    return accepted(config, connection, at)[0]


def accepted(config: Config, connection: Connection, at: Registry) -> tuple[int, int]:
    """Return how many subjects hold or accept our schemas: all; and how many of them are still to be registered.

    Raises `BrokerFatal`, naming them, where some do not accept theirs, or where theirs are missing and may not be
    registered. Whether a registry lets this account register cannot be told without doing it.
    """
    wanted = list(subjects(config, connection))
    missing = [(subject, name) for subject, name in wanted if at.find(subject, codec.text(name)) is None]
    if missing and config.kafka.registry and not config.kafka.registry.may_register:
        raise BrokerFatal(
            f"register = false, and schemas are missing: {', '.join(subject for subject, _ in missing)}",
            hint="let somebody who may do it register them: contentwire schemas register",
        )
    refusing = [subject for subject, name in missing if not at.compatible(subject, codec.text(name))]
    if refusing:
        raise BrokerFatal(
            f"the schema registry holds incompatible schemas under {', '.join(refusing)}",
            hint="something else has registered there; use another prefix, or remove those subjects",
        )
    return len(wanted), len(missing)
