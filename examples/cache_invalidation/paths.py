"""The reverse index, for caches that purge by path: which pages depend on an entity, from the read model's `refs`.

Run: python -m examples.cache_invalidation.paths --database model.db entry:<id>
"""

import argparse
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing

from examples.cache_invalidation.site import DEPTH

# Of an entity that is gone, too: the pages that link to it are still there.
_PAGES = """
with recursive page (target, depth) as (
  select :target, 0
  union
  select entity_type || ':' || id, depth + 1
  from page join entity on exists (select 1 from json_each(refs) where value = target)
  where depth < :depth
)
select distinct '/' || replace(target, ':', '/') from page where target like 'entry:%' order by 1
"""


def main(arguments: Sequence[str]) -> None:
    """Print the paths."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", required=True, help="what examples.read_model.consumer writes")
    parser.add_argument("target", help="entry:<id> or asset:<id>")
    given = parser.parse_args(arguments)
    with closing(sqlite3.connect(given.database)) as database:
        sys.stdout.writelines(f"{path}\n" for path in paths(database, given.target))


def paths(database: sqlite3.Connection, target: str) -> list[str]:
    """Return the paths of the pages that depend on an entity, through links of links. Its type's list is another."""
    found = database.execute(_PAGES, {"target": target, "depth": DEPTH}).fetchall()
    return [path for (path,) in found]


if __name__ == "__main__":
    main(sys.argv[1:])
