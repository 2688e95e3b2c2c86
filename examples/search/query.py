"""Searches the index.

Run: python -m examples.search.query --index index --locale de-DE "Häuser am See"
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from examples.search.index import opened, search


def main(arguments: Sequence[str]) -> None:
    """Print what is found, best first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=Path, required=True, help="a folder")
    parser.add_argument("--locale", default="en-US")
    parser.add_argument("text")
    given = parser.parse_args(arguments)
    for hit in search(opened(given.index), given.text, given.locale):
        sys.stdout.write(f"{hit.score:6.2f}  {hit.table}/{hit.id}  {hit.title}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
