"""Keeps a connection's typed tables in Apache Iceberg, exactly once: history and current state.

Run: python -m examples.data_lake.consumer --registry URL --tables contentwire.blog.table. --warehouse lake
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from examples import tables
from examples.data_lake.lake import Lake, catalog


def main(arguments: Sequence[str]) -> None:
    """Follow the tables, with a commit each minute, or whenever there are enough rows for one."""
    parser = tables.arguments(__doc__)
    parser.add_argument("--warehouse", type=Path, required=True, help="a folder")
    parser.add_argument("--seconds", type=float, default=60.0, help="rows of so many seconds are committed together")
    parser.add_argument("--rows", type=int, default=20_000, help="and at most about so many")
    given = parser.parse_args(arguments)
    lake = Lake(catalog(given.warehouse), tables.connection(given))
    with tables.Reader(given, lake.position) as reader:
        for batch in reader.batches(given.rows, given.seconds):
            lake.write(batch)


if __name__ == "__main__":
    main(sys.argv[1:])
