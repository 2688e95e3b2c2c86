"""What the consumers of typed tables share: all of a connection, decoded, in batches, from where they stopped."""

import argparse
import io
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from confluent_kafka import OFFSET_BEGINNING, Message, TopicPartition
from fastavro import schemaless_reader

from examples import changes

Columns = dict[str, str]
"""The type of each column: string, long, double, boolean, timestamp, strings or json."""

Positions = dict[int, int]
"""The next offset of each partition of a topic."""


class Row(NamedTuple):
    """One record of a table; `values` is None if it deletes the row, and then `columns` is empty."""

    table: str
    partition: int
    offset: int
    recorded_at: datetime
    key: dict[str, str]
    columns: Columns
    values: dict[str, Any] | None

    @property
    def identity(self) -> tuple[str, str]:
        """The id and locale of the row, which identify it in the table of one connection."""
        return self.key["id"], self.key["locale"]


def arguments(about: str | None) -> argparse.ArgumentParser:
    """Return a parser for the arguments that every example of tables needs."""
    parser = changes.kafka_arguments(about)
    parser.add_argument("--tables", required=True, help="what their topics begin with: PREFIX.CONNECTION.table.")
    return parser


def connection(given: argparse.Namespace) -> str:
    """Return the name of the connection whose tables are read."""
    found: str = given.tables.removesuffix(".table.").rpartition(".")[2]
    return found


class Reader:
    """Reads all the tables of one connection, and those that appear later. A context manager.

    `position(table, partition)` is the offset to continue from, None for the beginning. Every `look` seconds it looks
    for new tables.
    """

    def __init__(
        self, given: argparse.Namespace, position: Callable[[str, int], int | None], *, look: float = 10.0
    ) -> None:
        self._every = look
        self._prefix: str = given.tables
        self._until_end: bool = given.until_end
        self._position = position
        # An offset that is no longer there is an error: beginning anew by itself would repeat rows, or skip some.
        self._reader = changes.consumer(given.bootstrap, "tables", **{"auto.offset.reset": "error"})
        self._schemas = changes.schemas(given.registry)
        self._assigned: set[tuple[str, int]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def batches(self, rows: int, seconds: float) -> Iterator[list[Row]]:
        """Yield rows in the order of each partition: so many, or those of so many seconds; never an empty batch."""
        self._look()
        if self._until_end and not self._assigned:
            raise SystemExit(
                f"no topic begins with {self._prefix}: has the connection `tables = true`, and has it run?"
            )
        batch: list[Row] = []
        began = looked = time.monotonic()
        for message in changes.messages(self._reader, len(self._assigned) if self._until_end else None):
            if message is not None:
                began = began if batch else time.monotonic()
                batch.append(self._row(message))
            if len(batch) >= rows or (batch and time.monotonic() - began >= seconds):
                yield batch
                batch = []
            if not self._until_end and time.monotonic() - looked >= self._every:
                self._look()
                looked = time.monotonic()
        if batch:
            yield batch

    def _look(self) -> None:
        """Read the tables that are new, too."""
        topics = self._reader.list_topics(timeout=10).topics
        found = {
            (topic, number)
            for topic, metadata in topics.items()
            if topic.startswith(self._prefix)
            for number in metadata.partitions
        }
        self._reader.incremental_assign(
            [TopicPartition(topic, number, self._start(topic, number)) for topic, number in found - self._assigned]
        )
        self._assigned |= found

    def _start(self, topic: str, partition: int) -> int:
        position = self._position(topic.removeprefix(self._prefix), partition)
        return OFFSET_BEGINNING if position is None else position

    def _row(self, message: Message) -> Row:
        partition, offset = changes.place(message)
        key, _ = self._decoded(message.key() or b"")
        values, columns = self._decoded(message.value() or b"") if message.value() else (None, {})
        table = (message.topic() or "").removeprefix(self._prefix)
        recorded_at = datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
        return Row(table, partition, offset, recorded_at, key or {}, columns, values)

    def _decoded(self, framed: bytes) -> tuple[dict[str, Any] | None, Columns]:
        schema = self._schemas(int.from_bytes(framed[1:5], "big"))
        values: Any = schemaless_reader(io.BytesIO(framed[5:]), schema, None)
        return values, {field["name"]: _kind(field["type"]) for field in schema["fields"]}


def columns(rows: list[Row]) -> Columns:
    """Return the columns of all these rows, in their order; rows written before a column was added lack it."""
    found: Columns = {}
    for row in rows:
        found.update(row.columns)
    return found


def ends(rows: list[Row]) -> dict[str, Positions]:
    """Return the next offsets after these rows, by table."""
    found: dict[str, Positions] = {}
    for row in rows:
        found.setdefault(row.table, {})[row.partition] = row.offset + 1
    return found


def _kind(type_: Any) -> str:
    """Return the type of a column: every one is a union with null, or stands alone."""
    stated = next(each for each in type_ if each != "null") if isinstance(type_, list) else type_
    if isinstance(stated, str):
        return stated
    if stated["type"] == "array":
        return "strings"
    if "logicalType" in stated:
        return "timestamp"
    return "json" if "connect.name" in stated else str(stated["type"])


def text_of(value: Any) -> str:
    """Return the texts in a JSON value, one a line: rich text of any vendor has them under these names."""
    found: list[str] = []

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            found.extend(each for name, each in part.items() if name in ("text", "value") and isinstance(each, str))
        for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            walk(each)

    walk(json.loads(value))
    return "\n".join(found)
