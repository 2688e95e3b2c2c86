"""A front end's view of the change log: only the latest state of each key, in order of change. Pure."""

from collections.abc import Iterator

import msgspec

from connector.simulator.store import Version

Key = tuple[str, ...]


class Entry(msgspec.Struct, gc=False):
    """The latest state of one key. `label` is the vendor's item type; `live`: whether it is delivered or removed.

    The feed sets `position`.
    """

    key: Key
    label: str
    version: Version
    at: int
    live: bool = True
    locale: str = ""
    position: int = -1


class Feed:
    """Entries at ever-increasing positions; an entry vanishes when its key gets a newer one.

    Past removals can still be requested (`removals`), even of keys that are live again.
    """

    def __init__(self) -> None:
        self._entries: list[Entry | None] = []
        self._latest: dict[Key, int] = {}
        self._removals: dict[int, Entry] = {}

    def __len__(self) -> int:
        """Return the position that the next entry gets."""
        return len(self._entries)

    def put(self, entry: Entry) -> None:
        """Make `entry` the latest state of its key."""
        self.drop(entry.key)
        entry.position = self._latest[entry.key] = len(self._entries)
        self._entries.append(entry)

    def drop(self, key: Key) -> None:
        """Forget `key`; only its removal can still be requested."""
        position = self._latest.pop(key, None)
        if position is not None:
            if (entry := self._entries[position]) and not entry.live:
                self._removals[position] = entry
            self._entries[position] = None

    def latest(self, key: Key) -> Entry | None:
        """Return the latest state of a key."""
        position = self._latest.get(key)
        return None if position is None else self._entries[position]

    def newest_first(self, since: int, before: int, *, removals: int = 0) -> Iterator[Entry]:
        """Yield the entries from `since` up to but excluding `before`, the newest first.

        Before the position `removals`, also yield removals that have vanished since.
        """
        for position in range(min(before, len(self._entries)) - 1, since - 1, -1):
            entry = self._entries[position] or (self._removals.get(position) if position < removals else None)
            if entry:
                yield entry

    def oldest_first(self, since: int = 0) -> Iterator[Entry]:
        """Yield the entries from `since` on, the oldest first."""
        for position in range(since, len(self._entries)):
            if entry := self._entries[position]:
                yield entry
