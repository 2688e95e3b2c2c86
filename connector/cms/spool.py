"""The spool of a delta walk: filled newest first or in any order, read oldest first. Memory, then a file."""

import tempfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Self

import msgspec

from connector.errors import LocalTrouble
from connector.model.change import Change, DeadLetter
from connector.model.checkpoint import Position
from connector.model.page import SyncPage

Item = Change | DeadLetter

_NO_CLOCK = -(2**63)


class Spool:
    """Items of one walk. Up to `memory_bytes` they stay in memory; beyond that, in an unnamed temporary file.

    Use as a context manager: leaving it removes the file. Raises `LocalTrouble` if no file can be created or written.
    """

    def __init__(self, *, newest_first: bool, memory_bytes: int) -> None:
        self._newest_first = newest_first
        self._memory_bytes = memory_bytes
        self._items: list[Item] = []
        self._bytes = 0
        self._clocks = array("q")
        self._spans: list[tuple[int, int, bool]] = []
        self._file: IO[bytes] | None = None
        self._encoder = msgspec.msgpack.Encoder()
        self._change = msgspec.msgpack.Decoder(Change)
        self._letter = msgspec.msgpack.Decoder(DeadLetter)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            # What could not be written is no longer needed.
            with suppress(OSError):
                self._file.close()

    def add(self, page: SyncPage) -> None:
        """Add a page, in the order of the walk."""
        items: list[Item] = [*page.dead_letters, *page.changes]
        for item in items:
            clock = item.clock if isinstance(item, Change) else None
            self._clocks.append(_NO_CLOCK if clock is None else clock)
            self._keep(item)

    def pages(self, start: Position, end: Position, *, items: int, size: int) -> Iterator[SyncPage]:
        """Yield everything oldest first, in pages of at most `items` items and about `size` bytes.

        Only the last page (there is always one) moves the cursor to `end`; the others keep `start`, marked as open.
        """
        chunk: list[Item] = []
        weight = 0
        for place in self._oldest_first():
            item = self._get(place)
            if chunk and (len(chunk) >= items or weight + len(item.raw) > size):
                yield _page(chunk, start.opened(), caught_up=False)
                chunk, weight = [], 0
            chunk.append(item)
            weight += len(item.raw)
        yield _page(chunk, end, caught_up=True)

    def _keep(self, item: Item) -> None:
        if self._file is None:
            self._items.append(item)
            self._bytes += 3 * len(item.raw)
            if self._bytes > self._memory_bytes:
                self._spill()
        else:
            self._write(self._file, item)

    def _spill(self) -> None:
        with _on_disk():
            self._file = tempfile.TemporaryFile(prefix="contentwire-")  # noqa: SIM115  closed by __exit__
        for item in self._items:
            self._write(self._file, item)
        self._items = []

    def _write(self, file: IO[bytes], item: Item) -> None:
        packed = self._encoder.encode(item)
        with _on_disk():
            self._spans.append((file.tell(), len(packed), isinstance(item, Change)))
            file.write(packed)

    def _get(self, position: int) -> Item:
        if self._file is None:
            return self._items[position]
        offset, length, is_change = self._spans[position]
        with _on_disk():
            # Seeking flushes the buffer.
            self._file.seek(offset)
            packed = self._file.read(length)
        return self._change.decode(packed) if is_change else self._letter.decode(packed)

    def _oldest_first(self) -> list[int]:
        """Sort stably by the CMS clock; an item without one stays next to the item before it."""
        positions = list(range(len(self._clocks)))
        if self._newest_first:
            positions.reverse()
        effective: dict[int, int] = {}
        latest = _NO_CLOCK
        for position in positions:
            clock = self._clocks[position]
            latest = latest if clock == _NO_CLOCK else clock
            effective[position] = latest
        positions.sort(key=effective.__getitem__)
        return positions


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LocalTrouble.of(error, "the temporary file of a large walk") from error


def _page(chunk: list[Item], position: Position, *, caught_up: bool) -> SyncPage:
    return SyncPage(
        changes=tuple(item for item in chunk if isinstance(item, Change)),
        dead_letters=tuple(item for item in chunk if isinstance(item, DeadLetter)),
        position=position,
        caught_up=caught_up,
    )
