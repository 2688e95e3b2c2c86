"""Keeps a connection's typed tables in PostgreSQL, exactly once: rows, columns and offsets change in one transaction.

Run: python -m examples.read_model.postgres --registry URL --tables contentwire.blog.table. --database postgresql:///cms
"""

import sys
from collections.abc import Sequence
from typing import Final, LiteralString

import psycopg
from psycopg.sql import SQL, Composed, Identifier, Placeholder

from examples import tables
from examples.tables import Columns, Row

_TYPES = {
    "string": SQL("text"),
    "long": SQL("bigint"),
    "double": SQL("double precision"),
    "boolean": SQL("boolean"),
    "timestamp": SQL("timestamptz"),
    "strings": SQL("text[]"),
    "json": SQL("json"),  # jsonb would change the order of members and the digits of numbers
}
_POSITION: Final = "_contentwire_position"
_POSITION_TABLE: Final = """create table if not exists {} (
    name text, partition integer, next_offset bigint not null, primary key (name, partition)
)"""
_MOVE: Final = """insert into {} values (%s, %s, %s)
    on conflict (name, partition) do update set next_offset = excluded.next_offset"""
_TABLE: Final = "create table if not exists {} (_entity_id text, _locale text, primary key (_entity_id, _locale))"
_DELETE: Final = "delete from {} where _entity_id = %s and _locale = %s"
_NAMES: Final = "select column_name::text from information_schema.columns where table_schema = %s and table_name = %s"
_LONGEST_NAME: Final = 63  # bytes; PostgreSQL cuts off the rest, and two columns could become one


def main(arguments: Sequence[str]) -> None:
    """Follow the tables, with a transaction each second, or whenever there are a thousand rows."""
    parser = tables.arguments(__doc__)
    parser.add_argument("--database", required=True, help="a connection string, such as postgresql:///cms")
    given = parser.parse_args(arguments)
    with psycopg.connect(given.database, autocommit=True) as database:
        model = Model(database, tables.connection(given))
        with tables.Reader(given, model.position) as reader:
            for batch in reader.batches(1000, 1.0):
                model.write(batch)


class Model:
    """A schema named after the connection, with a table for each of its tables. For one consumer at a time."""

    def __init__(self, database: psycopg.Connection, connection: str) -> None:
        self._database = database
        self._schema = connection
        self._columns: dict[str, list[str]] = {}
        # Ends with the session. A second consumer would write rows that the first has already replaced.
        lock = database.execute("select pg_try_advisory_lock(hashtext(%s))", (f"contentwire {connection}",))
        if lock.fetchone() == (False,):
            raise SystemExit(f"another consumer writes the schema {connection} of this database: stop it first")
        database.execute(SQL("create schema if not exists {}").format(Identifier(connection)))
        database.execute(self._statement(_POSITION_TABLE, _POSITION))

    def position(self, table: str, partition: int) -> int | None:
        """Return the offset to continue from, None for the beginning."""
        query = self._statement("select next_offset from {} where name = %s and partition = %s", _POSITION)
        found = self._database.execute(query, (table, partition)).fetchone()
        return int(found[0]) if found else None

    def write(self, batch: list[Row]) -> None:
        """Apply rows and move the position, together."""
        by_table: dict[str, list[Row]] = {}
        for row in batch:
            by_table.setdefault(row.table, []).append(row)
        with self._database.transaction(), self._database.cursor() as cursor:
            for table, rows in by_table.items():
                self._widen(table, tables.columns(rows))
                latest = {row.identity: row for row in rows}
                cursor.executemany(self._statement(_DELETE, table), list(latest))
                values = [row.values for row in latest.values() if row.values is not None]
                names = self._columns[table]
                cursor.executemany(self._insert(table), [[each.get(name) for name in names] for each in values])
            places = [(table, *place) for table, found in tables.ends(batch).items() for place in found.items()]
            cursor.executemany(self._statement(_MOVE, _POSITION), places)

    def _insert(self, table: str) -> Composed:
        names = self._columns[table]
        return SQL("insert into {} ({}) values ({})").format(
            Identifier(self._schema, table),
            SQL(", ").join(map(Identifier, names)),
            SQL(", ").join(Placeholder() * len(names)),
        )

    def _widen(self, table: str, columns: Columns) -> None:
        """Create the table and add the columns that it lacks; none ever goes, and none changes its type."""
        if table not in self._columns:
            _check(table)
            self._database.execute(self._statement(_TABLE, table))
            found = self._database.execute(_NAMES, (self._schema, table)).fetchall()
            self._columns[table] = [name for (name,) in found]
        for name, kind in columns.items():
            if name not in self._columns[table]:
                _check(name)
                add = SQL("alter table {} add column {} {}")
                self._database.execute(add.format(Identifier(self._schema, table), Identifier(name), _TYPES[kind]))
                self._columns[table].append(name)

    def _statement(self, template: LiteralString, table: str) -> Composed:
        return SQL(template).format(Identifier(self._schema, table))


def _check(name: str) -> None:
    if len(name.encode()) > _LONGEST_NAME:
        raise SystemExit(f"PostgreSQL would shorten {name} to {_LONGEST_NAME} bytes: choose another name for it here")


if __name__ == "__main__":
    main(sys.argv[1:])
