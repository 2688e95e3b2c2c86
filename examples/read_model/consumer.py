"""Keeps the latest state of each entity in SQLite, exactly once: rows and position change in one transaction.

python -m examples.read_model.consumer --topic contentwire.blog.changes --database blog.db
"""

import json
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any

from examples import changes

_KEY = ("connection", "entity_type", "id", "locale")
TABLES = """
create table if not exists entity (
  connection text, entity_type text, id text, locale text, content_type text, revision integer, fields text, refs text,
  primary key (connection, entity_type, id, locale)
);
create table if not exists position (partition integer primary key, next_offset integer);
"""


def main(arguments: Sequence[str]) -> None:
    """Follow the topic."""
    parser = changes.arguments(__doc__)
    parser.add_argument("--database", required=True)
    given = parser.parse_args(arguments)
    database = sqlite3.connect(given.database)
    # Others can read while this writes. What a power cut takes away is read again, with the position in it.
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = normal")
    database.executescript(TABLES)
    reader, decode = changes.consumer(given.bootstrap, "read-model"), changes.decoder(given.registry)
    count = changes.assign(reader, given.topic, lambda partition: position(database, partition))
    for message in changes.messages(reader, count if given.until_end else None):
        if message is None:
            continue
        with database:
            # A tombstone (no value) follows each delete: there is nothing left to do.
            if value := message.value():
                apply(database, decode(value))
            partition, offset = changes.place(message)
            database.execute("replace into position values (?, ?)", (partition, offset + 1))
    reader.close()
    database.close()


def position(database: sqlite3.Connection, partition: int) -> int:
    """Return the offset to continue from."""
    found = database.execute("select next_offset from position where partition = ?", (partition,)).fetchone()
    return int(found[0]) if found else 0


def apply(database: sqlite3.Connection, event: dict[str, Any]) -> None:
    """Apply one event: `c`, `r` and `u` all carry the entity as it is now."""
    row = changes.row(event)
    if event["op"] == "d":
        key = tuple(row[name] for name in _KEY)
        database.execute("delete from entity where connection = ? and entity_type = ? and id = ? and locale = ?", key)
        return
    values = tuple(row[name] for name in (*_KEY, "content_type", "revision", "fields"))
    database.execute("replace into entity values (?, ?, ?, ?, ?, ?, ?, ?)", (*values, json.dumps(row["refs"] or [])))


if __name__ == "__main__":
    main(sys.argv[1:])
