"""Writes every event once into files of JSON lines; each file's name says which offsets are in it.

Run: python -m examples.data_lake.consumer --topic contentwire.blog.changes --folder lake

A file with its final name is complete, and the names are the position: after a crash nothing is missing or duplicated.
"""

import gzip
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from examples import changes

_EVENTS = 1000


def main(arguments: Sequence[str]) -> None:
    """Follow the topic, a file for each partition and batch."""
    parser = changes.arguments(__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    reader, decode = changes.consumer(given.bootstrap, "data-lake"), changes.decoder(given.registry)
    count = changes.assign(reader, given.topic, lambda partition: position(given.folder, partition))
    batches: dict[int, list[tuple[int, dict[str, Any]]]] = {}
    for message in changes.messages(reader, count if given.until_end else None):
        if message is not None and (value := message.value()):
            partition, offset = changes.place(message)
            batches.setdefault(partition, []).append((offset, decode(value)))
        if message is None or sum(map(len, batches.values())) >= _EVENTS:
            write(given.folder, batches)
            batches = {}
    write(given.folder, batches)
    reader.close()


def position(folder: Path, partition: int) -> int:
    """Return the offset after the last one in the partition's files."""
    ends = [int(path.name.split("-")[2].partition(".")[0]) for path in folder.glob(f"{partition}-*.jsonl.gz")]
    return max(ends, default=-1) + 1


def write(folder: Path, batches: dict[int, list[tuple[int, dict[str, Any]]]]) -> None:
    """Write a file for each partition: <partition>-<first offset>-<last offset>.jsonl.gz."""
    for partition, batch in batches.items():
        path = folder / f"{partition}-{batch[0][0]:020}-{batch[-1][0]:020}.jsonl.gz"
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_bytes(gzip.compress(lines(event for _, event in batch)))
        unfinished.replace(path)


def lines(events: Iterable[dict[str, Any]]) -> bytes:
    """Return events as JSON lines."""
    return b"".join(json.dumps(event, default=_text).encode() + b"\n" for event in events)


def _text(value: datetime) -> str:
    return value.isoformat()


if __name__ == "__main__":
    main(sys.argv[1:])
