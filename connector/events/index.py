"""The index: what is known of each key of a stream. Held as record bytes, decoded on access. Never does I/O."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from connector.errors import StateTooNew
from connector.events import codec
from connector.model.change import ALL_LOCALES, EntityKey
from connector.model.core import Item

VERSION = 2

UNWRITTEN = b"\0\0"
"""Earlier releases end a record before its content, or its rows: these are their nulls, ignored after a full record."""

# A record begins with its version (one byte up to version 63), then `live`.
_LIVE_AT = 1


class IndexEntry(msgspec.Struct, frozen=True):
    """What the last change of a key said.

    `changed_at` is the CMS's clock in microseconds, None if no change had one; `removed_at` is ours in milliseconds.
    `content` is a digest of the entity's content (`connector.events.content_digest`), None if unknown. `rows` are the
    locales of its rows in a table, as `written_rows` gives them, None if there are none.
    """

    live: bool
    change_type: str
    content_type: str | None
    revision: int | None
    changed_at: int | None
    digest: bytes
    epoch: int
    removed_at: int | None = None
    version: int = VERSION
    content: bytes | None = None
    rows: str | None = None

    def encode(self) -> bytes:
        """Return the state record's value."""
        return codec.encode("index_entry", msgspec.structs.asdict(self))


def is_index_key(key: bytes) -> bool:
    """Return whether a state record is the index's: the keys of all others begin with a zero, as no entity's does."""
    return not key.startswith(b"\0")


def written_rows(locales: Iterable[str]) -> str | None:
    """Return locales as an entry keeps them."""
    found = sorted(locales)
    return msgspec.json.encode(found).decode() if found else None


def row_locales(written: str | None) -> frozenset[str]:
    """Return the locales that an entry's rows have."""
    return msgspec.json.decode(written, type=frozenset[str]) if written else frozenset()


def decode_entry(value: bytes) -> IndexEntry:
    """Return the entry of a state record; raises `StateTooNew` for a version this release does not know."""
    check_version(value, VERSION)
    return IndexEntry(**codec.decode("index_entry", value + UNWRITTEN))


def check_version(value: bytes, known: int) -> None:
    """Raise `StateTooNew` if a state record's version, the zigzag number it begins with, is above `known`."""
    if not value or value[0] > 2 * known:
        raise StateTooNew(
            "a record in the state topic was written by a newer version of contentwire",
            hint="run at least the release that wrote it, or move the stream to a new prefix",
        )


class Index:
    """Index entries by bare key bytes, with an overlay for the changes of a batch in the making.

    `stage` changes what `get` and the iterators see; `commit` makes that permanent after the transaction, `discard`
    drops it. What is `sent` is in a transaction under way: it stays, and what is staged from then on is of the next.
    Memory: the key and record bytes, and about 100 bytes an entry.
    """

    def __init__(self) -> None:
        self._records: dict[bytes, bytes] = {}
        self._staged: dict[bytes, bytes | None] = {}
        self._sent: dict[bytes, bytes | None] | None = None
        self._locales: dict[tuple[str, str], set[str]] | None = None

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: bytes) -> IndexEntry | None:
        """Return what is known of a key, or None."""
        record = self._found(key)
        return None if record is None else decode_entry(record)

    def __contains__(self, key: bytes) -> bool:
        return self._found(key) is not None

    def _found(self, key: bytes) -> bytes | None:
        for records in (self._staged, self._sent or {}):
            if key in records:
                return records[key]
        return self._records.get(key)

    def records(self) -> tuple[list[Mapping[bytes, bytes | None]], dict[bytes, bytes | None]]:
        """Return what is committed or sent, and what is staged, for the compiled core: it looks up in all, and stages.

        What it has staged MUST be `noted`.
        """
        return [self._records, self._sent] if self._sent else [self._records], self._staged

    def noted(self, items: Iterable[Item]) -> None:
        """Take note of the locales of items that the core has staged."""
        if self._locales is not None:
            for item in items:
                if item.locale != ALL_LOCALES:
                    self._locales.setdefault((item.entity_type, item.id), set()).add(item.locale)

    def stage(self, key: bytes, record: bytes | None) -> None:
        """Put (or, with None, remove) a record for the batch in the making."""
        self._staged[key] = record
        self._note_locale(key)

    def stage_rows(self, key: bytes, rows: str) -> None:
        """Add rows to the staged record of a key that has none: a null is the last byte of it."""
        record = self._staged[key] or b""
        self._staged[key] = record[:-1] + b"\2" + codec.string(rows.encode())

    @property
    def staged(self) -> Mapping[bytes, bytes | None]:
        """What the batch in the making has changed, in the order of each key's first change."""
        return self._staged

    def send(self) -> None:
        """Put the staged records aside: a transaction that carries them has begun."""
        if self._sent is not None:
            raise RuntimeError("a transaction is under way")
        self._sent, self._staged = self._staged, {}

    def commit(self) -> None:
        """Make what was sent permanent, or what is staged if nothing was: the transaction that carries it succeeded."""
        if self._sent is None:
            self.send()
        sent, self._sent = self._sent or {}, None
        for key, record in sent.items():
            self.apply(key, record)

    def discard(self) -> None:
        """Forget the staged records: their transaction will not be committed."""
        self._staged = {}

    def forget_sent(self) -> None:
        """Forget what was sent and what is staged: the transaction failed, or its outcome is unknown."""
        self._sent, self._staged = None, {}

    def apply(self, key: bytes, record: bytes | None) -> None:
        """Put or remove a committed record, as read back from the state topic."""
        if record is None:
            self._records.pop(key, None)
        else:
            self._records[key] = record
            self._note_locale(key)

    def clear(self) -> None:
        """Forget everything: the state topic starts over."""
        self._records, self._staged, self._sent, self._locales = {}, {}, None, None

    def entries(self) -> Iterator[tuple[bytes, IndexEntry]]:
        """Yield every key and entry as of this call, staged changes included."""
        records = {**self._records, **(self._sent or {}), **self._staged}
        for key, record in records.items():
            if record is not None:
                yield key, decode_entry(record)

    def dead(self) -> Iterator[tuple[bytes, IndexEntry]]:
        """Yield the committed keys that are not live: few among many, so only these are decoded."""
        for key, record in list(self._records.items()):
            if record[_LIVE_AT] == 0:
                yield key, decode_entry(record)

    def live_locales(self, key: EntityKey) -> list[EntityKey]:
        """Return the live keys that share `key`'s entity type and id, sorted by locale."""
        return [sibling for sibling, entry in self._siblings(key) if entry.live]

    def knows(self, key: EntityKey) -> bool:
        """Return whether any locale of `key`'s id is known, live or not."""
        return any(self._siblings(key))

    def _siblings(self, key: EntityKey) -> Iterator[tuple[EntityKey, IndexEntry]]:
        # An entity delivered without a locale stands beside the localised ones.
        for locale in sorted({ALL_LOCALES, *self._known_locales(key.entity_type, key.id)}):
            sibling = EntityKey(key.connection, key.entity_type, key.id, locale)
            entry = self.get(codec.encode_key(sibling))
            if entry:
                yield sibling, entry

    def _known_locales(self, entity_type: str, entity_id: str) -> set[str]:
        if self._locales is None:
            self._locales = {}
            for body in (*self._records, *(self._sent or {}), *self._staged):
                self._note_locale(body)
        return self._locales.get((entity_type, entity_id), set())

    def _note_locale(self, body: bytes) -> None:
        """Update the secondary index, which exists only once it has been used."""
        if self._locales is None:
            return
        key = codec.decode_key(body)
        if key.locale != ALL_LOCALES:
            self._locales.setdefault((key.entity_type, key.id), set()).add(key.locale)
