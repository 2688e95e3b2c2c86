"""The two sides of a proof, entity by entity: what the CMS delivers now, and what the changes topics hold.

Keeps digests, never documents: about 1 KiB an entity.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from hashlib import blake2b
from typing import Any, Final

import msgspec

from connector.clock import Clock
from connector.cms.model_source import fetch
from connector.cms.source import Source
from connector.cms.spool import Spool
from connector.errors import CheckpointRejected, PageTooLarge, SourceUnavailable, WalkBroken
from connector.events import envelope
from connector.events.content_digest import digest as content_of
from connector.events.filters import wanted
from connector.events.policy import Policy
from connector.kafka.foreign_records import Standing
from connector.kafka.published import Entry, entity_of, table_of
from connector.model.change import Change, DeadLetter, EntityKey
from connector.model.checkpoint import Position
from connector.model.model_page import ListedModel
from connector.model.page import SyncPage
from connector.stream.retries import Retries
from connector.stream.spec import Pace
from connector.verify.due import DueRows
from connector.verify.rows import DueRow, HeldRow, RowPlace, held

Progress = Callable[[str, int], None]
"""Called with what is being done, and how much has been done so far."""

_RESTARTS: Final = 5
_FAILURES: Final = 5
_LONGEST_WAIT: Final = 60.0
_PACE: Final = Pace(first_pause=0.5, longest_pause=8.0)
_SPOOLED: Final = 16 * 1024 * 1024


class Trace(msgspec.Struct, frozen=True, gc=False):
    """What is kept of one entity: its table, revision, clock in microseconds, and a digest of its content.

    `item`: a digest of the CMS's raw item; of an event, only if it refers to an item that was too large. `rows`: what
    the CMS's side says that tables must hold of it.
    """

    table: str
    revision: int | None
    clock: int | None
    content: bytes
    item: bytes = b""
    rows: Mapping[RowPlace, DueRow] = {}


class Delivered:
    """What the CMS delivers now, read by separate walks from `start`; `tables` makes the rows of it, if there are any.

    Failed requests are repeated a few times, and so are walks that the API breaks.
    """

    def __init__(  # noqa: PLR0913  what a walk takes, and what is made of it
        self,
        source: Source,
        policy: Policy,
        start: Position,
        clock: Clock,
        progress: Progress,
        *,
        tables: DueRows | None = None,
    ) -> None:
        self._clock = clock
        self.traces: dict[EntityKey, Trace] = {}
        self.unreadable: set[str] = set()
        self._removed_at: dict[EntityKey, int] = {}
        self._source = source
        self._policy = policy
        self._position = start
        self._progress = progress
        self._tables = tables

    def read(self) -> None:
        """Take a snapshot, then follow what changed meanwhile; when called again, only follow.

        With tables, everything is read again whenever the content model has changed. Raises what `Source.walk` raises,
        and what `fetch` and `DueRows.follow` raise.
        """
        for restarts in range(_RESTARTS + 1):
            try:
                listed = self._follow_model(self._tables) if self._tables else None
                if self._position.phase == "snapshot":
                    self._snapshot()
                if self._source.vendor.follows:
                    self._delta()
                if listed:
                    self._take_model(listed)
                if self._tables and self._tables.outdated:
                    raise WalkBroken("the content model changed while the CMS was read")  # noqa: TRY301  as walks do
            except (WalkBroken, CheckpointRejected) as error:
                if restarts == _RESTARTS:
                    raise
                self._restart(error)
            else:
                return

    def _follow_model(self, tables: DueRows) -> ListedModel:
        listed = fetch(self._source)
        if tables.follow(listed) and self.traces:
            # Rows that were made by another model may be other ones now, and what they were made of is not kept.
            self._restart(None)
        return listed

    def _take_model(self, listed: ListedModel) -> None:
        """Take the content types and locales that the API lists, which tables publish."""
        for change in listed.changes:
            self._apply(change)
        for key in listed.gone([key for key in self.traces if key.entity_type in ("content_type", "locale")]):
            self.traces.pop(key)

    def _restart(self, error: Exception | None) -> None:
        size = self._position.page_size
        smaller = size * 2 // 3 if size and isinstance(error, PageTooLarge) else None
        self._position = self._position.restart(page_size=smaller)
        self.traces, self.unreadable, self._removed_at = {}, set(), {}

    def _snapshot(self) -> None:
        for page in self._pages():
            self._take(page)
            self._position = page.position

    def _delta(self) -> None:
        """Apply a delta oldest first, once it is complete."""
        with Spool(newest_first=self._source.vendor.newest_first, memory_bytes=_SPOOLED) as spool:
            end = self._position
            for page in self._pages():
                spool.add(page)
                end = page.position
            for page in spool.pages(self._position, end, items=1000, size=_SPOOLED):
                self._take(page)
        self._position = end

    def _pages(self) -> Iterator[SyncPage]:
        position, failures = self._position, 0
        retries = Retries(_PACE, self._clock)
        while True:
            try:
                with closing(self._source.walk(position)) as walk:
                    for page in walk:
                        position, failures = page.position, 0
                        retries.reset()
                        yield page
            except SourceUnavailable as error:
                failures += 1
                wait = retries.pause(error.retry_after)
                if failures > _FAILURES or wait > _LONGEST_WAIT:
                    raise
                self._progress("waiting for the CMS, failures", failures)
                self._clock.wait(wait)
            else:
                return

    def _take(self, page: SyncPage) -> None:
        for letter in page.dead_letters:
            self.unreadable.add(letter.item_id or _item(letter).hex())
        for change in page.changes:
            self._apply(change)
        self._progress("read from the CMS", len(self.traces))

    def _apply(self, change: Change) -> None:
        self.unreadable.discard(change.key.id)
        key, clock = change.key, change.clock
        if change.change_type == "published" and wanted(self._policy, key, change.content_type):
            if not self._outdated(key, clock, change.revision):
                table = envelope.table(change, None)
                content = content_of(change.fields, change.meta, self._policy.content_members)
                rows = self._tables.rows(change) if self._tables else {}
                self.traces[key] = Trace(table, change.revision, clock, content, _item(change), rows)
            return
        for gone in self._affected(change):
            if not self._outdated(gone, clock):
                self.traces.pop(gone, None)
                if clock is not None:
                    self._removed_at[gone] = clock

    def _outdated(self, key: EntityKey, clock: int | None, revision: int | None = None) -> bool:
        """Return whether something newer is known: items move between pages while they are read.

        A published state with an older clock but a higher `revision` than the one known is newer.
        """
        known = self.traces.get(key)
        if known and None not in (revision, known.revision) and (revision or 0) > (known.revision or 0):
            return False
        latest = known.clock if known else self._removed_at.get(key)
        return clock is not None and latest is not None and clock < latest

    def _affected(self, change: Change) -> list[EntityKey]:
        if change.scope == "key":
            return [change.key]
        if change.scope == "entity":
            one = (change.key.entity_type, change.key.id)
            return [key for key in self.traces if (key.entity_type, key.id) == one]
        of_type = [key for key, trace in self.traces.items() if trace.table == change.key.id]
        return [change.key, *of_type]


class Published:
    """The latest state per key of the changes topics, from their decoded records in the order of each partition.

    `removed`: the CMS's clock of each removal, in microseconds, None if compaction has left only its tombstone. `rows`:
    those that tables hold of each entity; `localized` as for `entity_of`.
    `standing`: the records in them that contentwire did not write.
    """

    def __init__(self, members: Sequence[str], progress: Progress, *, localized: bool = False) -> None:
        self.traces: dict[EntityKey, Trace] = {}
        self.removed: dict[EntityKey, int | None] = {}
        self.rows: dict[EntityKey, dict[RowPlace, HeldRow]] = {}
        self._localized = localized
        self._members = members
        self.go_on: dict[tuple[str, int], int] = {}
        self.standing = Standing()
        self._counts: Counter[str] = Counter()
        self._progress = progress

    def take(self, entries: Iterable[Entry]) -> None:
        """Apply records of events; `go_on` then holds the offsets of the next ones."""
        for entry in self._noted(entries, "read from the topic"):
            self._apply(EntityKey(**entry.key), entry.value)

    def take_rows(self, entries: Iterable[Entry]) -> None:
        """Apply records of tables, as `take` does those of events."""
        for entry in self._noted(entries, "read from the tables"):
            self._apply_row(EntityKey(**entry.key), entry)

    def _noted(self, entries: Iterable[Entry], what: str) -> Iterator[Entry]:
        for entry in entries:
            self.standing.note(*entry.standing())
            if not entry.foreign:
                yield entry
            self.go_on[entry.record.topic, entry.record.partition] = entry.record.offset + 1
            self._counts[what] += 1
            if self._counts[what] % 1000 == 0:
                self._progress(what, self._counts[what])
        self._progress(what, self._counts[what])

    def _apply_row(self, key: EntityKey, entry: Entry) -> None:
        entity, place = entity_of(key, localized=self._localized), (table_of(entry), key.locale)
        # A new map each time: what was held before is compared as well.
        rows = {at: row for at, row in self.rows.pop(entity, {}).items() if at != place}
        if entry.value is not None:
            rows[place] = held(entry.value, entry.schema)
        if rows:
            self.rows[entity] = rows

    def _apply(self, key: EntityKey, value: Mapping[str, Any] | None) -> None:
        if value is None:
            self.traces.pop(key, None)
            self.removed.setdefault(key, None)
            return
        flat = "source" not in value
        clock_ms = value["source_ts_ms"] if flat else value["source"]["ts_ms"]
        if value["op"] == "d":
            self.traces.pop(key, None)
            self.removed[key] = clock_ms * 1000
            return
        self.removed.pop(key, None)
        entity = value if flat else value["after"]
        table = value["source_table"] if flat else value["source"]["table"]
        content = content_of(entity["fields"], entity["meta"], self._members)
        self.traces[key] = Trace(table, entity["revision"], clock_ms * 1000, content, _referenced(entity))


def _item(item: Change | DeadLetter) -> bytes:
    return item.digest if isinstance(item, Change) else blake2b(item.raw, digest_size=16).digest()


def _referenced(entity: Mapping[str, Any]) -> bytes:
    """Return the digest of the item that an event without content refers to."""
    meta = entity["meta"]
    if entity["fields"] is not None or not meta or not meta.startswith('{"contentwire_reference"'):
        return b""
    return bytes.fromhex(json.loads(meta)["contentwire_reference"]["digest"])
