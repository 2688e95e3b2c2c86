"""Keeps the lake small: merges the history's files, expires old snapshots, removes files that no snapshot names.

Run: python -m examples.data_lake.maintain --warehouse lake --keep-days 30

Run it while the consumer is stopped, or start again whichever of the two loses the race.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlparse

from pyiceberg.table import Table

from examples.data_lake.lake import OFFSETS, catalog, offsets


def main(arguments: Sequence[str]) -> None:
    """Maintain every table of the lake."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warehouse", type=Path, required=True, help="a folder")
    parser.add_argument("--keep-days", type=float, default=30.0, help="how long snapshots can still be read")
    parser.add_argument("--files", type=int, default=10, help="a table with more files than that gets one")
    given = parser.parse_args(arguments)
    lake = catalog(given.warehouse)
    before = datetime.now(UTC) - timedelta(days=given.keep_days)
    for (namespace,) in lake.list_namespaces():
        for identifier in lake.list_tables(namespace):
            table = lake.load_table(identifier)
            merged = compact(table, given.files)
            table.maintenance.expire_snapshots().older_than(before).commit()
            gone = remove_orphans(table.refresh(), before)
            sys.stdout.write(f"{'.'.join(identifier)}: {merged} files merged, {gone} removed\n")


def compact(table: Table, most: int) -> int:
    """Write a table with more than `most` files anew; return how many files it had then. The offsets stay."""
    files = len(table.inspect.data_files())
    if files <= most:
        return 0
    table.overwrite(table.scan().to_arrow(), snapshot_properties={OFFSETS: json.dumps(offsets(table))})
    return files


def remove_orphans(table: Table, before: datetime) -> int:
    """Remove files that no snapshot names and that are older than `before`, as a younger one may be on its way."""
    named = {_path(each) for each in table.inspect.all_files()["file_path"].to_pylist()}
    named |= {_path(each) for each in table.inspect.all_manifests()["path"].to_pylist()}
    named |= {_path(each.manifest_list) for each in table.snapshots()}
    gone = 0
    for path in _path(table.location()).glob("*/*"):
        if path.suffix in {".parquet", ".avro"} and path not in named and path.stat().st_mtime < before.timestamp():
            path.unlink()
            gone += 1
    return gone


def _path(location: str) -> Path:
    return Path(unquote(urlparse(location).path))


if __name__ == "__main__":
    main(sys.argv[1:])
