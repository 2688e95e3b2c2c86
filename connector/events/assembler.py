"""Pages become the records of one transaction: events, tombstones, dead letters, index records and the checkpoint.

Pure but for the index it stages into and the clock it is given. Where events go is handed in with each page.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, get_args

import msgspec
from msgspec.structs import replace

from connector.errors import EventTooLarge, ItemRefused, MalformedItem
from connector.events import codec, content_digest, envelope
from connector.events.destination import Routes, place
from connector.events.envelope import Event, Op, Origin, Provenance
from connector.events.expansion import expand
from connector.events.index import Index, IndexEntry
from connector.events.policy import Policy, wanted
from connector.events.record import Batch, Letter, Record, Route, Tally
from connector.events.state_record import CHECKPOINT_KEY, encode_checkpoint
from connector.events.verdict import Standpoint, skip_reason
from connector.model.change import ALL_LOCALES, Change, DeadLetter, EntityKey, EntityType
from connector.model.checkpoint import Checkpoint, Position, Selection
from connector.model.page import SyncPage

# What a record costs beside key, value and headers, rounded up generously (Kafka message format v2).
_OVERHEAD = 1024

# Dead letters of one batch that are named in the log; of more there is the count.
_NAMED = 20


class Assembler(msgspec.Struct, frozen=True):
    """Turns pages of one stream into batches.

    `now_ms` is the clock; `locate` gives the URL of an entity, by its key and content type, for events that are too
    large.
    """

    provenance: Provenance
    policy: Policy
    now_ms: Callable[[], int]
    locate: Callable[[EntityKey, str | None], str]

    def batches(
        self, pages: Iterable[tuple[SyncPage, Routes]], index: Index, checkpoint: Checkpoint
    ) -> Iterator[Batch]:
        """Yield the batches that publish `pages` after `checkpoint`: one, unless expansions exceed the commit bounds.

        Each page comes with a route to every place that `destination.unopened` names for it. Of several batches only
        the last moves the cursor. The caller MUST commit each one, and then the index, before it takes the next one.
        Raises `ItemRefused` under the policy `stop`.
        """
        draft = _Draft(self, index, checkpoint)
        for page, routes in pages:
            draft.routes = routes
            for letter in page.dead_letters:
                draft.bury(letter, page.position)
            for change in page.changes:
                for expanded, origin, cause in expand(change, index, draft.position.phase):
                    draft.add(expanded, origin, cause)
                    if draft.full:
                        batch = draft.finish(draft.position.opened())
                        yield batch
                        draft = _Draft(self, index, batch.checkpoint.at(draft.position))
                        draft.routes = routes
            draft.position = page.position
        yield draft.finish(draft.position)


class _Case(NamedTuple):
    """One change of one key under judgement, with what the index knows of the key."""

    body: bytes
    change: Change
    known: IndexEntry | None
    origin: Origin
    cause: str
    content: bytes | None


class _Draft:
    """One batch in the making. Index changes are staged, so that later changes of the batch see earlier ones."""

    def __init__(self, assembler: Assembler, index: Index, checkpoint: Checkpoint) -> None:
        self.position = checkpoint.position
        self.routes: Routes = {}
        self._start = checkpoint
        self._progress = checkpoint.progress
        self._sequence = checkpoint.progress.sequence
        self._key_schema_id = checkpoint.progress.key_schema_id
        self._assembler = assembler
        self._policy = assembler.policy
        self._republish = "all" if assembler.policy.republish == "all" else checkpoint.request.republish
        self._index = index
        self._records: list[Record] = []
        self._letters: list[Letter] = []
        self._bytes = 0
        self._tally = Tally()
        self._now_ms = assembler.now_ms()

    @property
    def full(self) -> bool:
        """Whether a commit bound is reached: an event has at most two records."""
        count = len(self._records) + len(self._letters)
        return count >= 2 * self._policy.commit_items or self._bytes >= self._policy.commit_bytes

    def finish(self, position: Position) -> Batch:
        """Return the batch that ends at `position`."""
        progress = replace(self._progress, sequence=self._sequence, key_schema_id=self._key_schema_id)
        final = replace(self._start, position=position, progress=progress, committed_at=self._now_ms)
        state = [*self._index.staged.items(), (CHECKPOINT_KEY, encode_checkpoint(final))]
        return Batch(self._records, state, final, self._tally, self._letters)

    def add(self, change: Change, origin: Origin, cause: str) -> None:
        """Publish one change of one key, or leave it out where the index already knows better."""
        body = codec.encode_key(change.key)
        known = self._index.get(body)
        case = _Case(body, change, known, origin, cause, self._content(change, known))
        if origin != "reconciled" and not wanted(self._policy, change.key, envelope.content_type(change, known)):
            if known is None or not known.live or known.epoch != self.position.epoch:
                self._tally.left_out["filtered"] += 1
                return
            # It was published under another content type: consumers must not keep it.
            case = case._replace(change=_departed(change, known))
        if reason := self._superfluous(case):
            self._tally.left_out[reason] += 1
        elif self._suppressed(case.change, known):
            self._tally.left_out["unseen_delete"] += 1
            self._remember(case)
            return
        elif self._publish(case):
            self._remember(case)
            return
        if known:
            self._mark_seen(body, known)

    def _content(self, change: Change, known: IndexEntry | None) -> bytes | None:
        if change.change_type != "published":
            return None
        if known and known.digest == change.digest and known.content is not None:
            return known.content
        return content_digest.digest(change.fields, change.meta, self._policy.content_members)

    def bury(self, letter: DeadLetter, at: Position) -> None:
        """Add a dead letter; raises `ItemRefused` under the policy `stop`."""
        if self._policy.malformed == "stop" and letter.error == "MalformedItem":
            raise ItemRefused(
                f"item {letter.item_type or 'of unknown type'} {letter.item_id or 'without id'}: {letter.reason}",
                hint='fix it in the CMS, or set malformed = "dead-letter" for this connection',
            )
        value = codec.encode("dead_letter", self._burial(letter, at))
        key = f"{letter.item_type or ''}/{letter.item_id or ''}".encode("utf-8", "replace")
        self._letters.append(Letter(key, value))
        self._bytes += len(key) + len(value)
        self._tally.dead_letters[letter.error] += 1
        if len(self._tally.letters) < _NAMED:
            self._tally.letters.append((letter.error, letter.item_type, letter.item_id, len(letter.raw)))
        if letter.item_id:
            self._spare(letter.item_id)

    def _mark_seen(self, body: bytes, known: IndexEntry) -> None:
        """Note that the CMS still delivers the key: reconciliation must not take it for vanished."""
        if known.epoch != self.position.epoch:
            self._index.stage(body, replace(known, epoch=self.position.epoch).encode())

    def _spare(self, entity_id: str) -> None:
        """Mark every key an unreadable item may stand for as seen: it is there, though we cannot say what it says."""
        connection = self._assembler.provenance.name
        for entity_type in get_args(EntityType):
            key = EntityKey(connection, entity_type, entity_id, ALL_LOCALES)
            for sibling in (key, *self._index.live_locales(key)):
                body = codec.encode_key(sibling)
                if known := self._index.get(body):
                    self._mark_seen(body, known)

    def _burial(self, letter: DeadLetter, at: Position) -> dict[str, Any]:
        return {
            "version": 1,
            "connection": self._assembler.provenance.name,
            "vendor": self._assembler.provenance.connector,
            "error": letter.error,
            "reason": letter.reason,
            "item_type": letter.item_type,
            "item_id": letter.item_id,
            "raw": letter.raw,
            "cursor": self.position.cursor,
            "page": self.position.page,
            "phase": at.phase,
            "epoch": at.epoch,
            "sequence": self._sequence,
            "ts_ms": self._now_ms,
        }

    def _superfluous(self, case: _Case) -> str | None:
        if case.known is None:
            return None
        phase, epoch = self.position.phase, self.position.epoch
        at = Standpoint(phase == "snapshot", epoch, self._start.request.rebase)
        anew = self._asked_anew(case.change)
        return skip_reason(case.change, case.content, case.known, at, republish=anew)

    def _asked_anew(self, change: Change) -> bool:
        """Tell whether a snapshot is to publish this whether it changed or not: `all`, or what the request selects."""
        if isinstance(self._republish, Selection):
            return change.key.id in self._republish.ids or change.content_type in self._republish.content_types
        return self._republish == "all"

    def _suppressed(self, change: Change, known: IndexEntry | None) -> bool:
        if change.change_type == "published" or (known and known.live):
            return False
        if change.key.locale != ALL_LOCALES and self._index.live_locales(change.key):
            self._tally.locale_mismatches += 1
        return self._policy.unseen_deletes == "suppress"

    def _publish(self, case: _Case) -> bool:
        """Append the event and its tombstone; return False where a dead letter took its place."""
        change, event = case.change, self._event(case)
        route = self.routes[place(change.key)]
        if isinstance(route, MalformedItem):
            self.bury(
                DeadLetter(change.raw, str(route), "MalformedItem", change.key.entity_type, change.key.id),
                self.position,
            )
            return False
        key = route.key.prefix + case.body
        headers = envelope.headers(event, self._assembler.provenance)
        value = route.value.prefix + self._encode(event)
        if len(key) + len(value) + _OVERHEAD > self._policy.max_message_bytes:
            refusal = self._refuse(change, len(value))
            if self._policy.oversized != "reference":
                self.bury(refusal, self.position)
                return False
            url = self._assembler.locate(change.key, change.content_type)
            event = replace(event, change=_reference(change, len(value), url))
            value = route.value.prefix + self._encode(event)
        self._append(Record(route.topic, key, value, headers))
        if event.op == "d" and self._policy.tombstones:
            tombstone = envelope.headers(event, self._assembler.provenance, tombstone=True)
            self._append(Record(route.topic, key, None, tombstone))
        self._note(route)
        self._count(event)
        return True

    def _note(self, route: Route) -> None:
        self._sequence += 1
        self._key_schema_id = route.key.schema_id
        self._progress = self._progress.recording(route.topic, route.found)

    def _event(self, case: _Case) -> Event:
        live = case.known is not None and case.known.live
        if case.change.change_type != "published":
            op: Op = "d"
        elif live:
            op = "u"
        else:
            op = "r" if case.origin == "snapshot" else "c"
        cause = f"epoch {self.position.epoch}" if case.origin == "reconciled" else case.cause
        identity = envelope.event_id(case.change, cause)
        return Event(case.change, case.known, op, case.origin, self._sequence + 1, identity, self._now_ms)

    def _encode(self, event: Event) -> bytes:
        if self._policy.envelope == "flat":
            return codec.encode("flat", envelope.flat(event, self._assembler.provenance))
        return codec.encode("envelope", envelope.envelope(event, self._assembler.provenance))

    def _refuse(self, change: Change, size: int) -> DeadLetter:
        reason = f"the event of {size} bytes exceeds max.message.bytes = {self._policy.max_message_bytes}"
        if self._policy.oversized == "stop":
            raise ItemRefused(
                f"{change.key.entity_type} {change.key.id}: {reason}",
                hint='raise max_message_bytes, or set oversized = "dead-letter" or "reference" for this connection',
            )
        return DeadLetter(change.raw, reason, EventTooLarge.__name__, change.key.entity_type, change.key.id)

    def _append(self, record: Record) -> None:
        self._records.append(record)
        self._bytes += len(record.key or b"") + len(record.value or b"")

    def _count(self, event: Event) -> None:
        self._tally.ops[event.op] += 1
        if event.origin == "delta":
            self._tally.changed_ms.append(envelope.source_ms(event))

    def _remember(self, case: _Case) -> None:
        """Stage what the index shall know of the key after this change."""
        change, known = case.change, case.known
        entry = IndexEntry(
            live=change.change_type == "published",
            change_type=change.change_type,
            content_type=envelope.content_type(change, known),
            revision=change.revision,
            # A change without a clock must not disarm the staleness rule.
            changed_at=change.clock if change.clock is not None or known is None else known.changed_at,
            digest=change.digest,
            epoch=self.position.epoch,
            removed_at=None if change.change_type == "published" else self._now_ms,
            content=case.content if change.change_type == "published" else None,
        )
        self._index.stage(case.body, entry.encode())


def _departed(change: Change, known: IndexEntry) -> Change:
    """Return what a change means to a filtered view that its entity has left: a removal."""
    if change.change_type != "published":
        return change
    return replace(change, change_type="deleted", content_type=known.content_type, fields=None, meta=None, refs=())


def _reference(change: Change, size: int, url: str) -> Change:
    """Return the change without its content: what remains says how large it was, its digest and where to fetch it."""
    reference = {"bytes": size, "digest": change.digest.hex(), "id": change.key.id, "url": url}
    meta = {"contentwire_reference": reference}
    return replace(change, fields=None, meta=json.dumps(meta).encode(), marker=None, refs=())
