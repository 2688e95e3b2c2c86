"""What the three examples share: reading a changes topic, and decoding it with a registry or without one."""

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
    """Return a parser for the arguments that every example needs."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--bootstrap", default="localhost:9092")
    parser.add_argument("--registry", help="base URL of its Confluent API; leave out if contentwire runs without one")
    parser.add_argument("--topic", required=True)
    parser.add_argument("--until-end", action="store_true", help="stop at the end instead of waiting for more")
    return parser


def decoder(registry: str | None) -> Callable[[bytes], dict[str, Any]]:
    """Return a function from a record's value to its event, in either envelope."""
    own = {_fingerprint(schema): schema for schema in map(_own_schema, ("envelope", "flat"))}

    @functools.cache
    def registered(number: int) -> Any:
        with urllib.request.urlopen(f"{registry}/schemas/ids/{number}", timeout=10) as answer:
            return _parsed(json.load(answer)["schema"])

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


def assign(reader: Consumer, topic: str, position: Callable[[int], int]) -> int:
    """Let `reader` continue at `position(partition)` in each partition of the topic; return their number."""
    partitions = reader.list_topics(topic, timeout=10).topics[topic].partitions
    reader.assign([TopicPartition(topic, number, position(number)) for number in partitions])
    return len(partitions)


def messages(reader: Consumer, partitions: int | None = None) -> Iterator[Message | None]:
    """Yield records, and None when there is nothing new for a second; with `partitions`, until all have ended."""
    ended: set[int | None] = set()
    while partitions is None or len(ended) < partitions:
        message = reader.poll(1.0)
        error = message.error() if message else None
        if error is None:
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  its codes begin with an underscore
            ended.add(message.partition() if message else None)
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
