"""Asks the lake with DuckDB, in SQL: `blog.blogPost` has the current rows, `blog_history.blogPost` all.

Run: python -m examples.data_lake.query --warehouse lake "select count(*) from blog.author"
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb

from examples.data_lake.lake import catalog


def main(arguments: Sequence[str]) -> None:
    """Print the answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warehouse", type=Path, required=True, help="a folder")
    parser.add_argument("sql")
    given = parser.parse_args(arguments)
    with database(given.warehouse, given.sql) as lake:
        lake.sql(given.sql).show(max_width=160)


def database(warehouse: Path, sql: str) -> duckdb.DuckDBPyConnection:
    """Return a database with those tables of the lake whose names the SQL mentions."""
    lake, found = catalog(warehouse), duckdb.connect()
    found.execute("set timezone = 'UTC'")
    for (namespace,) in lake.list_namespaces():
        found.execute(f'create schema if not exists "{namespace}"')
        for _, name in lake.list_tables(namespace):
            if name in sql:
                found.register("loaded", lake.load_table((namespace, name)).scan().to_arrow())
                found.execute(f'create table "{namespace}"."{name}" as from loaded')
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
