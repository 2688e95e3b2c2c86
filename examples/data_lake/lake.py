"""Typed tables in Apache Iceberg: a history that only grows, and the current state, of each table.

The next offsets stand in the properties of the snapshot that holds the rows: Iceberg commits both together, or neither.
"""

import json
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyiceberg import expressions
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysFalse, And, BooleanExpression, Or
from pyiceberg.table import Table, Transaction

from examples import tables
from examples.tables import Columns, Positions, Row

OFFSETS: Final = "contentwire.offsets"
"""The property of a snapshot: JSON, the next offset of each partition."""

# Their annotations describe models with named fields, not how they are called.
_equal_to: Any = expressions.EqualTo
_in: Any = expressions.In

_TYPES = {
    "string": pa.string(),
    "long": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "strings": pa.list_(pa.string()),
    "json": pa.string(),
}
# Where a row of the history comes from. Its offset orders it among the rows of its key.
_ORIGIN: Columns = {"_recorded_at": "timestamp", "_partition": "long", "_offset": "long"}
_KEY: Columns = {"_entity_id": "string", "_locale": "string"}
_PROPERTIES = {
    "format-version": "2",
    # A commit that lost a race MUST fail: repeated on top of the winner's, the same rows would be there twice.
    "commit.retry.num-retries": "0",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}


def catalog(warehouse: Path) -> SqlCatalog:
    """Return the catalog in a local folder; any other catalog of pyiceberg does as well."""
    folder = warehouse.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return SqlCatalog("lake", uri=f"sqlite:///{folder / 'catalog.db'}", warehouse=folder.as_uri())


class Lake:
    """The tables of one connection: `<connection>.<table>` has the current rows, `<connection>_history.<table>` all."""

    def __init__(self, catalog: SqlCatalog, connection: str) -> None:
        self._catalog = catalog
        # SQL takes no hyphen in a name, and a connection's name has no underscore.
        self._current = connection.replace("-", "_")
        self._history = f"{self._current}_history"
        self._namespaces = (self._current, self._history)
        for namespace in self._namespaces:
            catalog.create_namespace_if_not_exists(namespace)

    def position(self, table: str, partition: int) -> int | None:
        """Return the offset that both tables have not seen yet; None for the beginning."""
        found = [offsets(each).get(partition) for each in self._tables(table)]
        known = [offset for offset in found if offset is not None]
        return min(known) if len(known) == len(self._namespaces) else None

    def write(self, rows: Iterable[Row]) -> None:
        """Add rows, table by table. Raises `CommitFailedException` if another process writes too: start again then."""
        by_table: dict[str, list[Row]] = {}
        for row in rows:
            by_table.setdefault(row.table, []).append(row)
        for name, batch in by_table.items():
            _append(self._table(self._history, name, {**_ORIGIN, **_KEY}), batch)
            _replace(self._table(self._current, name, _KEY), batch)

    def _tables(self, name: str) -> list[Table]:
        found = []
        for namespace in self._namespaces:
            with suppress(NoSuchTableError):
                found.append(self._catalog.load_table((namespace, name)))
        return found

    def _table(self, namespace: str, name: str, columns: Columns) -> Table:
        return self._catalog.create_table_if_not_exists((namespace, name), _schema(columns), properties=_PROPERTIES)


def offsets(table: Table) -> Positions:
    """Return the next offset of each partition.

    Other writers' snapshots, such as a compaction's, may lack them: then those of the nearest ancestor hold.
    Raises `ValueError` if there is none, as rows would be repeated.
    """
    snapshot = table.current_snapshot()
    if snapshot is None:
        return {}
    while snapshot is not None:
        if snapshot.summary and (found := snapshot.summary.additional_properties.get(OFFSETS)):
            return {int(partition): offset for partition, offset in json.loads(found).items()}
        parent = snapshot.parent_snapshot_id
        snapshot = table.snapshot_by_id(parent) if parent is not None else None
    raise ValueError(f"no snapshot of {table.name()} has {OFFSETS}: expire none before the next write of this consumer")


def _append(table: Table, batch: list[Row]) -> None:
    """Add each row to the history; a deleted one has nothing but its key and `_op` = d."""
    fresh, properties = _fresh(table, batch)
    if not fresh:
        return
    found = {**_ORIGIN, **_KEY, "_op": "string", **tables.columns(fresh)}
    with table.transaction() as transaction:
        _widen(transaction, found)
        transaction.append(_arrow(map(_recorded, fresh), found), properties)


def _replace(table: Table, batch: list[Row]) -> None:
    """Replace the rows of these keys by their latest version."""
    fresh, properties = _fresh(table, batch)
    if not fresh:
        return
    latest = {row.identity: row for row in fresh}
    found = {**_KEY, **tables.columns(fresh)}
    values = [row.values for row in latest.values() if row.values is not None]
    with table.transaction() as transaction, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Delete operation did not match any records")
        _widen(transaction, found)
        transaction.delete(_matching(latest), properties)
        # Even without rows: the offsets are to be written.
        transaction.append(_arrow(values, found), properties)


def _fresh(table: Table, batch: list[Row]) -> tuple[list[Row], dict[str, str]]:
    """Return the rows that the table has not seen yet, and the properties of the snapshot that adds them."""
    seen = offsets(table)
    fresh = [row for row in batch if row.offset >= seen.get(row.partition, 0)]
    for row in fresh:
        seen[row.partition] = row.offset + 1
    return fresh, {OFFSETS: json.dumps(seen)}


def _recorded(row: Row) -> dict[str, Any]:
    entity_id, locale = row.identity
    key = {"_recorded_at": row.recorded_at, "_partition": row.partition, "_offset": row.offset}
    return {**key, "_entity_id": entity_id, "_locale": locale, **(row.values or {"_op": "d"})}


def _matching(keys: Iterable[tuple[str, str]]) -> BooleanExpression:
    """Return a filter for these keys: one list of ids for each locale, as a long chain of pairs would be slow."""
    ids: dict[str, list[str]] = {}
    for entity_id, locale in keys:
        ids.setdefault(locale, []).append(entity_id)
    found: BooleanExpression = AlwaysFalse()
    for locale, each in ids.items():
        found = Or(found, And(_equal_to("_locale", locale), _in("_entity_id", each)))
    return found


def _widen(transaction: Transaction, columns: Columns) -> None:
    """Add the columns that the table lacks; none ever goes, and none changes its type."""
    known = set(transaction.table_metadata.schema().column_names)
    if columns.keys() - known:
        with transaction.update_schema() as update:
            update.union_by_name(_schema(columns))


def _arrow(rows: Iterable[dict[str, Any]], columns: Columns) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=_schema(columns))


def _schema(columns: Columns) -> pa.Schema:
    return pa.schema([(name, _TYPES[kind]) for name, kind in columns.items()])
