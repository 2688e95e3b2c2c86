"""Proves from outside that a changes topic matches a simulated CMS, for the demo and for every test. Pure.

Uses nothing of the delivery path's logic, nor of `contentwire verify`. Records come in order, partition by partition.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from connector.demo.ledger import Account, Identity, Place, Received, place
from connector.model.timestamp import micros
from connector.simulator import Live

_SHOWN = 5


class Check(msgspec.Struct, frozen=True):
    """One thing that must hold: what it is, what was found, whether it holds, and some of what does not."""

    title: str
    found: str
    holds: bool
    wrong: Sequence[object] = ()


class State(NamedTuple):
    """The latest state of one key."""

    content_type: str | None
    revision: int | None
    changed_ms: int | None
    fields: str | None


def prove(records: Sequence[Received], account: Account) -> tuple[Check, ...]:
    """Check all records of one changes topic, each partition in its order, against the CMS's own record."""
    return (
        latest_state(records, account.truth),
        each_change(records, account),
        sequence(records),
        event_ids(records),
        tombstones(records),
    )


def latest_state(records: Iterable[Received], truth: Iterable[Live]) -> Check:
    """Read the topic as if compacted: the last record of a key counts, and a tombstone removes the key."""
    found: dict[Place, State | None] = {}
    partitions: dict[Place, set[int]] = {}
    for record in records:
        at = place(record.key)
        partitions.setdefault(at, set()).add(record.partition)
        if record.event is None:
            found.pop(at, None)
        else:
            # A delete without its tombstone leaves its key behind, which the CMS does not have.
            found[at] = published(record.event)
    wanted = {place(live): delivered(live) for live in truth}
    absent = object()
    wrong = {at for at in found.keys() | wanted.keys() if found.get(at, absent) != wanted.get(at, absent)}
    wrong |= {at for at, numbers in partitions.items() if len(numbers) > 1}
    text = f"{len(wrong):,} differ" if wrong else f"{len(found):,} = {len(wanted):,}"
    return Check("latest state = the CMS's", text, not wrong, sorted(wrong)[:_SHOWN])


def each_change(records: Sequence[Received], account: Account) -> Check:
    """Each change arrived once; anything else is a marker, in a snapshot, of what was gone before the start."""
    old = Counter(_old_markers(records, account))
    lacking, surplus = missing(records, account), _arrived(records) - account.expected - old
    problems = [f"{lacking.total():,} missing"] * bool(lacking) + [f"{surplus.total():,} too many"] * bool(surplus)
    total = account.expected.total()
    text = ", ".join(problems) or f"{total:,} of {total:,}"
    return Check("each change arrived once", text, not problems, [*lacking, *surplus][:_SHOWN])


def missing(records: Iterable[Received], account: Account) -> Counter[Identity]:
    """Return the changes that the records do not report, or not often enough."""
    return account.expected - _arrived(records)


def sequence(records: Iterable[Received]) -> Check:
    """The numbers are 1 to n, each once, and increase within every partition."""
    by_partition: dict[int, list[int]] = {}
    for record in records:
        if record.event:
            by_partition.setdefault(record.partition, []).append(record.event["source"]["sequence"])
    numbers = sorted(number for part in by_partition.values() for number in part)
    contiguous = numbers == list(range(1, len(numbers) + 1))
    ordered = all(part == sorted(part) for part in by_partition.values())
    text = "gaps or repeats" if not contiguous else f"1 to {len(numbers):,}" if ordered else "out of order"
    return Check("source.sequence has no gap", text, holds=contiguous and ordered)


def event_ids(records: Iterable[Received]) -> Check:
    """No two events have the same id."""
    ids = [record.event["event_id"] for record in records if record.event]
    doubled = len(ids) - len(set(ids))
    text = f"{doubled:,} repeated" if doubled else f"{len(ids):,} ids"
    return Check("no event_id appears twice", text, holds=not doubled)


def tombstones(records: Sequence[Received]) -> Check:
    """Each delete, and nothing else, is followed by the tombstone of its key."""
    followed = deletes = stray = 0
    previous: Received | None = None
    for record in records:
        after_delete = previous is not None and previous.event is not None and previous.event["op"] == "d"
        if record.event is None:
            own = after_delete and previous is not None and _home(previous) == _home(record)
            followed += own
            stray += not own
        deletes += record.event is not None and record.event["op"] == "d"
        previous = record
    holds = followed == deletes and not stray
    return Check("deletes with tombstone", f"{followed:,} of {deletes:,}", holds=holds)


def published(event: dict[str, Any]) -> State | None:
    """Return the state that an event holds, None for a removal."""
    after = event["after"]
    if after is None:
        return None
    return State(after["content_type"], after["revision"], event["source"]["ts_ms"], after["fields"])


def delivered(live: Live) -> State:
    """Return the state that a CMS delivers."""
    clock = micros(live.changed_at)
    fields = None if live.fields is None else live.fields.decode()
    return State(live.content_type, live.revision, None if clock is None else clock // 1000, fields)


def _arrived(records: Iterable[Received]) -> Counter[Identity]:
    return Counter(identity for record in records if (identity := record.identity))


def _old_markers(records: Iterable[Received], account: Account) -> set[Identity]:
    allowed = ("first", "true", "last", *["false"] * account.cut_short)
    found = (record.identity for record in records if record.event and record.event["source"]["snapshot"] in allowed)
    return {identity for identity in found if identity and identity.removal and identity[:3] in account.gone}


def _home(record: Received) -> tuple[int, Place]:
    return record.partition, place(record.key)
