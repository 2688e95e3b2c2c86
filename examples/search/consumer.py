"""Keeps a full-text index of a connection's typed tables.

Run: python -m examples.search.consumer --registry URL --tables contentwire.blog.table. --index index
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from examples import tables
from examples.search.index import Writer, opened


def main(arguments: Sequence[str]) -> None:
    """Follow the tables, with a commit each second, or whenever there are a thousand rows."""
    parser = tables.arguments(__doc__)
    parser.add_argument("--index", type=Path, required=True, help="a folder")
    given = parser.parse_args(arguments)
    writer = Writer(opened(given.index))
    with tables.Reader(given, writer.position) as reader:
        for batch in reader.batches(1000, 1.0):
            writer.write(batch)


if __name__ == "__main__":
    main(sys.argv[1:])
