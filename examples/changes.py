"""What the examples share: reading topics, and decoding them with a registry or without one."""

import argparse
import functools
import io
import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from fastavro import parse_schema, schemaless_reader
from fastavro.schema import fingerprint, to_parsing_canonical_form

SCHEMAS = Path(__file__).parent.parent / "schemas"


def arguments(about: str | None) -> argparse.ArgumentParser:
    """Return a parser for the arguments that every example of a changes topic needs."""
    parser = kafka_arguments(about)
    parser.add_argument("--topic", required=True, help="the changes topic, such as contentwire.blog.changes")
    return parser


def kafka_arguments(about: str | None) -> argparse.ArgumentParser:
    """Return a parser for the arguments that every example needs."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--bootstrap", default="localhost:9092")
    parser.add_argument("--registry", help="base URL of its Confluent API; leave out only if contentwire has none")
    parser.add_argument("--until-end", action="store_true", help="stop at the end instead of waiting for more")
    return parser


def decoder(registry: str | None) -> Callable[[bytes], dict[str, Any]]:
    """Return a function from a record's value to its event, in either envelope."""
    own = {_fingerprint(schema): schema for schema in map(_own_schema, ("envelope", "flat"))}
    registered = schemas(registry)

    def decode(value: bytes) -> dict[str, Any]:
        if value[0] == 0:  # the Confluent wire format: a zero byte and the schema's id
            schema, body = registered(int.from_bytes(value[1:5], "big")), value[5:]
        else:  # Avro single-object encoding: two bytes of marker, eight of fingerprint
            schema, body = own.get(value[2:10]), value[10:]
            if schema is None:
                raise ValueError(
                    "the record was written with a schema that is not in schemas/, perhaps of another release"
                )
        event: Any = schemaless_reader(io.BytesIO(body), schema, None)
        return dict(event)

    return decode


def schemas(registry: str | None) -> Callable[[int], Any]:
    """Return a function from a schema's id to the schema; each is fetched once."""

    @functools.cache
    def registered(number: int) -> Any:
        if registry is None:
            raise SystemExit("the records name schemas of a registry: give its URL with --registry")
        with urllib.request.urlopen(f"{registry}/schemas/ids/{number}", timeout=10) as answer:
            return _parsed(json.load(answer)["schema"])

    return registered


def row(event: dict[str, Any]) -> dict[str, Any]:
    """Return the entity as it is now, or, of a `d`, what is known of it: a flat event is its own row."""
    if "source" not in event:
        return event
    found: dict[str, Any] = event["after"] or event["before"]
    return found


def table(event: dict[str, Any]) -> str:
    """Return the content type, or what stands for it."""
    return str(event["source"]["table"] if "source" in event else event["source_table"])


def consumer(bootstrap: str, group: str, **settings: Any) -> Consumer:
    """Return a consumer that sees committed records only."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            **settings,
        }
    )


def partitions(reader: Consumer, topic: str) -> list[int]:
    """Return the topic's partitions; ends the program if there is no such topic."""
    found = reader.list_topics(topic, timeout=10).topics[topic]
    if not found.partitions:
        raise SystemExit(f"there is no topic {topic}: contentwire creates it when it first runs; is the name right?")
    return list(found.partitions)


def assign(reader: Consumer, topic: str, position: Callable[[int], int]) -> int:
    """Let `reader` continue at `position(partition)` in each partition of the topic; return their number."""
    numbers = partitions(reader, topic)
    reader.assign([TopicPartition(topic, number, position(number)) for number in numbers])
    return len(numbers)


def messages(reader: Consumer, count: int | None = None, wait: float = 1.0) -> Iterator[Message | None]:
    """Yield records, and None after `wait` seconds without one; with `count`, until so many partitions have ended."""
    ended: set[tuple[str | None, int | None]] = set()
    while count is None or len(ended) < count:
        message = reader.poll(wait)
        error = message.error() if message else None
        if message is None or error is None:
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  its codes begin with an underscore
            ended.add((message.topic(), message.partition()))
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
            raise SystemExit(
                f"{message.topic()}, partition {message.partition()}: {error.str()}. The topic was created anew, or no "
                "longer holds what comes next: begin again, with an empty target"
            )
        else:
            raise KafkaException(error)


def place(record: Message) -> tuple[int, int]:
    """Return a record's partition and offset; in the client's types both are optional, but a record has both."""
    return record.partition() or 0, record.offset() or 0


def _own_schema(name: str) -> Any:
    return _parsed((SCHEMAS / f"{name}.avsc").read_text(encoding="utf-8"))


def _fingerprint(schema: Any) -> bytes:
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def _parsed(text: str) -> Any:
    return parse_schema(json.loads(text))
