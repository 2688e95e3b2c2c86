"""Turns pages into the records of one transaction: events, tombstones, dead letters, index records and the checkpoint.

Does no I/O except through what it is given: the index it stages into, the clock, and the destinations of events.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import get_args

import msgspec
from msgspec.structs import replace

from connector.errors import EventTooLarge, ItemRefused, MalformedItem
from connector.events import codec, compiled, content_digest, dead_letter, envelope
from connector.events.destination import Destinations
from connector.events.envelope import Event, Op, Origin, Provenance, Snapshot, Transaction
from connector.events.expansion import expand
from connector.events.filters import wanted
from connector.events.index import Index, IndexEntry, row_locales, written_rows
from connector.events.policy import Policy
from connector.events.record import RECORD_OVERHEAD, Batch, Letter, Record, Route, Tally
from connector.events.state_record import CHECKPOINT_KEY, encode_checkpoint
from connector.events.table_rows import Tables, withheld
from connector.events.verdict import Case, Standpoint, judge, op, owes_rows, remembered
from connector.model.change import ALL_LOCALES, Change, DeadLetter, EntityKey, EntityType
from connector.model.checkpoint import Checkpoint, Position
from connector.model.core import Item, Writer
from connector.model.core import Route as CoreRoute
from connector.model.page import CompiledPage, SyncPage

# How many dead letters of one batch are named in the log; the rest are only counted.
_MAX_NAMED = 20

# The compiled core publishes so many items at once, without and with rows: commit bounds are looked at in between.
_TOGETHER, _TOGETHER_WITH_ROWS = 256, 16


class Assembler(msgspec.Struct, frozen=True):
    """Turns pages of one stream into batches.

    `now_ms` is the clock; `locate` gives the URL of an entity, by its key and content type, for events that are too
    large. `writer` writes the events of items that the compiled core has read; `tables` makes the rows of events.
    `follows`: a delta follows a snapshot, which is walked twice otherwise. `rows_again`: rows of changes that were
    published before are due too.
    """

    provenance: Provenance
    policy: Policy
    now_ms: Callable[[], int]
    locate: Callable[[EntityKey, str | None], str]
    writer: Writer | None = None
    tables: Tables | None = None
    follows: bool = True
    rows_again: bool = False

    def batches(
        self,
        pages: Iterable[SyncPage | CompiledPage],
        index: Index,
        checkpoint: Checkpoint,
        destinations: Destinations,
    ) -> Iterator[Batch]:
        """Yield the batches that publish `pages` after `checkpoint`: one, unless expansions exceed the commit bounds.

        If there are several, only the last moves the cursor. The caller MUST commit each one, and then the index,
        before it takes the next. Raises `ItemRefused` under the policy `stop`, and what opening a destination raises.
        """
        builder = BatchBuilder(self, index, checkpoint, destinations)
        for page in pages:
            for letter in page.dead_letters:
                builder.add_dead_letter(letter, page.position)
                if letter.item_id:
                    builder.mark_unreadable(letter.item_id)
            at, until = 0, len(page.changes) - self._ends_snapshot(page, builder.position)
            while at < len(page.changes):
                if builder.full:
                    yield (batch := builder.finish(builder.position.opened()))
                    builder = self._after(batch, builder, index, destinations)
                if isinstance(page, CompiledPage) and (added := builder.add_items(page.changes, at, until)):
                    at += added
                    continue
                for expanded, origin, cause in expand(self._change(page.changes[at]), index, builder.position.phase):
                    if builder.full:
                        yield (batch := builder.finish(builder.position.opened()))
                        builder = self._after(batch, builder, index, destinations)
                    builder.add(expanded, origin, cause, last=at == until)
                at += 1
            builder.move_to(page.position)
        yield builder.finish(builder.position)

    def _ends_snapshot(self, page: SyncPage | CompiledPage, position: Position) -> bool:
        """Return whether no event of the snapshot can follow that of the page's last change."""
        return page.caught_up and position.phase == "snapshot" and (self.follows or position.second_walk)

    def _change(self, change: Change | Item) -> Change:
        return change if isinstance(change, Change) else compiled.change(change, self.provenance.name)

    def _after(self, batch: Batch, builder: "BatchBuilder", index: Index, destinations: Destinations) -> "BatchBuilder":
        return BatchBuilder(self, index, batch.checkpoint.at(builder.position), destinations)


class BatchBuilder:
    """One batch in the making. Index changes are staged: later changes in the batch see earlier ones."""

    def __init__(self, assembler: Assembler, index: Index, checkpoint: Checkpoint, destinations: Destinations) -> None:
        self._destinations = destinations
        self._start = checkpoint
        self._progress = checkpoint.progress
        self._sequence = checkpoint.progress.sequence
        # The same for the same batch, however often it is tried: no other one begins there.
        self._transaction = f"{checkpoint.stream}:{checkpoint.position.epoch}:{self._sequence + 1}"
        self._by_table: Counter[str] = Counter()
        self._key_schema_id = checkpoint.progress.key_schema_id
        self._policy = assembler.policy
        self._provenance = assembler.provenance
        self._locate = assembler.locate
        self._tables = assembler.tables
        self._rows_again = assembler.rows_again
        self._writer = assembler.writer
        self._routes: dict[tuple[str, str], CoreRoute] = {}
        self._now_ms = assembler.now_ms()
        self._index = index
        self._records: list[Record] = []
        self._letters: list[Letter] = []
        self._bytes = 0
        self._tally = Tally()
        self.move_to(checkpoint.position)

    @property
    def full(self) -> bool:
        """Whether a commit bound has been reached: an event has at most two records."""
        count = len(self._records) + len(self._letters)
        return count >= 2 * self._policy.commit_items or self._bytes >= self._policy.commit_bytes

    def move_to(self, position: Position) -> None:
        """Continue from a position: a page is done."""
        asked = self._start.request
        republish = "all" if self._policy.republish == "all" else asked.republish
        self.position = position
        rows = asked.rows or self._rows_again
        self._standpoint = Standpoint(position.phase == "snapshot", position.epoch, asked.rebase, republish, rows)

    def finish(self, position: Position) -> Batch:
        """Return the batch that ends at `position`."""
        progress = replace(self._progress, sequence=self._sequence, key_schema_id=self._key_schema_id)
        final = replace(self._start, position=position, progress=progress, committed_at=self._now_ms)
        state = [*self._index.staged.items(), (CHECKPOINT_KEY, encode_checkpoint(final))]
        return Batch(self._records, state, final, self._tally, self._letters)

    def add(self, change: Change, origin: Origin, cause: str, *, last: bool = False) -> None:
        """Publish one change of one key, or leave it out; note the result in the index.

        `last`: its event is the last one of a snapshot.
        """
        body = codec.encode_key(change.key)
        known = self._index.get(body)
        case = Case(change, origin, known, self._content(change, known))
        verdict = judge(case, self._standpoint, self._policy)
        if verdict.unseen:
            self._note_mismatch(change.key)
        rows = known.rows if known else None
        if verdict.left_out:
            self._tally.left_out[verdict.left_out] += 1
            updates = verdict.left_out == "unseen_delete"
            if known and self._tables and owes_rows(verdict, known, self._standpoint):
                known = replace(known, rows=self._write_rows(self._repeated(verdict.change, case, cause), rows))
                self._index.stage(body, replace(known, epoch=self.position.epoch).encode())
        else:
            event = self._event(verdict.change, case, cause, last=last)
            updates = self._publish(event, body, self._destinations.of(change.key))
            rows = self._write_rows(event, rows) if updates and self._tables else rows
        if updates:
            entry = remembered(verdict.change, case, self.position.epoch, self._now_ms, rows)
            self._index.stage(body, entry.encode())
        elif known and verdict.left_out != "filtered":
            self._mark_seen(body, known)

    def add_items(self, changes: Sequence[Change | Item], at: int, until: int) -> int:
        """Publish items of a snapshot from `at` to `until`, up to the first that `add` has to judge; return how many.

        That is one of which something is known, or which is too large, and the first of a snapshot. Items that are
        filtered out are left out.
        """
        first = changes[at]
        if self._writer is None or isinstance(first, Change) or not self._standpoint.snapshot or at == until:
            return 0
        if self._progress.snapshot_epoch != self.position.epoch:
            return 0
        if first.body in self._index or (first.whole_body and first.whole_body in self._index):
            return 0
        most = min(_TOGETHER_WITH_ROWS if self._tables else _TOGETHER, until - at)
        most = self._wanted(changes[at : at + most]) if self._policy.filters else most
        if not most:
            self._tally.left_out["filtered"] += 1
            return 1
        if (route := self._open(first)) is None:
            return 0
        place = (self._sequence, self._now_ms, self.position.epoch)
        longest = self._policy.max_message_bytes - RECORD_OVERHEAD
        records, size = self._writer.publish((changes, at, most), self._index.records(), self._routes, place, longest)
        added = len(records)
        if added:
            self._progress = self._progress.recording(route.topic, route.found)
            self._key_schema_id = route.key.schema_id
            self._tally.ops["r"] += added
        items = [item for item in changes[at : at + added] if not isinstance(item, Change)]
        self._index.noted(items)
        self._records += records
        self._bytes += size
        if self._tables:
            self._add_rows(items, records)
        else:
            self._sequence += added
        return added

    def add_dead_letter(self, letter: DeadLetter, at: Position) -> None:
        """Add a dead letter of the page that leads to `at`; raises `ItemRefused` under the policy `stop`."""
        if self._policy.malformed == "stop" and letter.error == "MalformedItem":
            raise ItemRefused(
                f"item {letter.item_type or 'of unknown type'} {letter.item_id or 'without id'}: {letter.reason}",
                hint='fix it in the CMS, or set malformed = "dead-letter" for this connection',
            )
        found = dead_letter.encode(letter, self._provenance, self.position, at, self._sequence, self._now_ms)
        self._letters.append(found)
        self._bytes += len(found.key) + len(found.value)
        self._tally.dead_letters[letter.error] += 1
        if len(self._tally.letters) < _MAX_NAMED:
            self._tally.letters.append((letter.error, letter.item_type, letter.item_id, len(letter.raw)))

    def _add_rows(self, items: Sequence[Item], records: Sequence[Record]) -> None:
        """Append the rows of items whose events are appended."""
        for item, record in zip(items, records, strict=True):
            self._sequence += 1
            event = compiled.event(item, record, self._provenance.name, self._sequence, self._now_ms)
            if rows := self._write_rows(event, None):
                self._index.stage_rows(item.body, rows)

    def _wanted(self, changes: Sequence[Change | Item]) -> int:
        """Return how many of `changes` are items that the filters let through, up to the first that is not."""
        for number, item in enumerate(changes):
            if isinstance(item, Change) or not wanted(self._policy, self._key(item), item.content_type):
                return number
        return len(changes)

    def _key(self, item: Item) -> EntityKey:
        return compiled.entity_key(item, self._provenance.name)

    def _open(self, item: Item) -> Route | None:
        """Return where an item's event goes, None if it cannot go anywhere."""
        route = self._destinations.of(self._key(item))
        if isinstance(route, MalformedItem):
            return None
        place = item.entity_type, item.locale
        if place not in self._routes:
            self._routes[place] = compiled.route(route)
        return route

    def _content(self, change: Change, known: IndexEntry | None) -> bytes | None:
        if change.change_type != "published":
            return None
        if known and known.digest == change.digest and known.content is not None:
            return known.content
        return content_digest.digest(change.fields, change.meta, self._policy.content_members)

    def _note_mismatch(self, key: EntityKey) -> None:
        if key.locale != ALL_LOCALES and self._index.live_locales(key):
            self._tally.locale_mismatches += 1

    def _event(self, change: Change, case: Case, cause: str, *, last: bool) -> Event:
        if case.origin == "reconciled":
            cause = f"epoch {self.position.epoch}"
        return Event(
            change,
            case.known,
            op(change, case),
            case.origin,
            self._sequence + 1,
            envelope.event_id(change, cause),
            self._now_ms,
            self._place_in_snapshot(last=last) if case.origin == "snapshot" else "false",
            None if self._standpoint.snapshot else self._place_in_transaction(envelope.table(change, case.known)),
        )

    def _repeated(self, change: Change, case: Case, cause: str) -> Event:
        """Return what stands for the event of a change that was published before, in the rows written now."""
        op_: Op = "r" if change.change_type == "published" else "d"
        id_ = envelope.event_id(change, cause)
        return Event(change, case.known, op_, case.origin, self._sequence, id_, self._now_ms, "false", None)

    def _place_in_snapshot(self, *, last: bool) -> Snapshot:
        if last:
            return "last"
        return "true" if self._progress.snapshot_epoch == self.position.epoch else "first"

    def _place_in_transaction(self, table: str) -> Transaction:
        order = self._sequence + 1 - self._start.progress.sequence
        return Transaction(self._transaction, order, self._by_table[table] + 1)

    def _publish(self, event: Event, body: bytes, route: Route | MalformedItem) -> bool:
        """Append the event and its tombstone; return False if a dead letter took its place."""
        change = event.change
        if isinstance(route, MalformedItem):
            self._replace_by_letter(change, str(route), "MalformedItem")
            return False
        key, value = route.key.prefix + body, route.value.prefix + self._encode(event)
        if len(key) + len(value) + RECORD_OVERHEAD > self._policy.max_message_bytes:
            if not self._as_reference(change, len(value)):
                return False
            url = self._locate(change.key, change.content_type)
            event = replace(event, change=envelope.reference(change, len(value), url))
            value = route.value.prefix + self._encode(event)
        self._append(Record(route.topic, key, value, envelope.headers(event, self._provenance)))
        if event.op == "d" and self._policy.tombstones:
            headers = envelope.headers(event, self._provenance, tombstone=True)
            self._append(Record(route.topic, key, None, headers))
        self._progress = self._progress.recording(route.topic, route.found)
        self._key_schema_id = route.key.schema_id
        self._count(event)
        return True

    def _write_rows(self, event: Event, rows: str | None) -> str | None:
        """Append the rows of a published event to its table; return the locales of those that the entity has now."""
        assert self._tables
        known, change = event.known, event.change
        if rows and known and event.op != "d" and envelope.content_type(change, known) != known.content_type:
            # It came back under its id as something else: its rows are in another table.
            former = replace(change, content_type=known.content_type)
            rows = self._write_rows(replace(event, op="d", change=former), rows)
        found = self._tables.rows(event, row_locales(rows))
        if found is None:
            return None
        misfits, longest = list(found.misfits), self._policy.max_message_bytes - RECORD_OVERHEAD
        if found.rows:
            route = self._destinations.table(found.table, found.schema)
            self._progress = self._progress.recording(route.topic, route.found)
        for key, value in found.rows:
            body = None if value is None else route.value.prefix + value
            if body and len(body) > longest:
                misfits.append(f"the row of {len(body)} bytes exceeds max.message.bytes (locale {key.locale})")
                continue
            self._append(Record(route.topic, route.key.prefix + codec.encode_key(key), body, []))
            self._tally.rows["deleted" if value is None else "written"] += 1
        self._tally.rows["inexact"] += found.inexact
        if misfits:
            self._tally.rows["misfit"] += len(misfits)
            self._replace_by_letter(event.change, withheld(found.table, misfits[:_MAX_NAMED]), "MalformedItem")
        return written_rows(found.live)

    def _as_reference(self, change: Change, size: int) -> bool:
        """Return whether to publish an oversized event as a reference; else a dead letter replaces it, or it stops."""
        reason = f"the event of {size} bytes exceeds max.message.bytes = {self._policy.max_message_bytes}"
        if self._policy.oversized == "stop":
            raise ItemRefused(
                f"{change.key.entity_type} {change.key.id}: {reason}",
                hint='raise max_message_bytes, or set oversized = "dead-letter" or "reference" for this connection',
            )
        if self._policy.oversized == "dead-letter":
            self._replace_by_letter(change, reason, EventTooLarge.__name__)
        return self._policy.oversized == "reference"

    def _replace_by_letter(self, change: Change, reason: str, error: str) -> None:
        letter = DeadLetter(change.raw, reason, error, change.key.entity_type, change.key.id)
        self.add_dead_letter(letter, self.position)

    def _encode(self, event: Event) -> bytes:
        if self._policy.envelope == "flat":
            return codec.encode("flat", envelope.flat(event, self._provenance))
        return codec.encode("envelope", envelope.envelope(event, self._provenance))

    def _append(self, record: Record) -> None:
        self._records.append(record)
        self._bytes += len(record.key or b"") + len(record.value or b"")

    def _count(self, event: Event) -> None:
        self._sequence = event.sequence
        self._tally.ops[event.op] += 1
        if event.transaction:
            self._by_table[envelope.table(event.change, event.known)] += 1
        if event.snapshot != "false" and self._progress.snapshot_epoch != self.position.epoch:
            self._progress = replace(self._progress, snapshot_epoch=self.position.epoch)
        if event.origin == "delta":
            self._tally.changed_ms.append(envelope.source_ms(event))

    def _mark_seen(self, body: bytes, known: IndexEntry) -> None:
        """Note that the CMS still delivers the key: reconciliation must not take it for gone."""
        if known.epoch != self.position.epoch:
            self._index.stage(body, replace(known, epoch=self.position.epoch).encode())

    def mark_unreadable(self, entity_id: str) -> None:
        """Mark every key that an unreadable item may stand for as seen: it exists, though we cannot read it."""
        for entity_type in get_args(EntityType):
            key = EntityKey(self._provenance.name, entity_type, entity_id, ALL_LOCALES)
            for sibling in (key, *self._index.live_locales(key)):
                body = codec.encode_key(sibling)
                if known := self._index.get(body):
                    self._mark_seen(body, known)
