"""Proves from outside that a changes topic is what the CMS says. Uses nothing of the delivery path's logic. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from connector.demo.ledger import Account, Identity, Received
from connector.model.change import EntityKey
from connector.model.timestamp import micros
from connector.simulator import Live

_Place = tuple[str, str, str]


class Check(msgspec.Struct, frozen=True):
    """One thing that must hold: what it is, what was found, and whether it holds."""

    title: str
    found: str
    holds: bool


class State(NamedTuple):
    """The latest state of one key."""

    content_type: str | None
    revision: int | None
    changed_ms: int | None
    fields: str | None


def prove(records: Sequence[Received], account: Account) -> tuple[Check, ...]:
    """Check all records of one changes topic, each partition in its order, against the CMS's own account."""
    return (
        _state(records, account.truth),
        _changes(records, account),
        _sequence(records),
        _event_ids(records),
        _tombstones(records),
    )


def _state(records: Iterable[Received], truth: Sequence[Live]) -> Check:
    """Replay the topic as a compacted one is read: the last record of a key stands, and a tombstone removes it."""
    found: dict[_Place, State | None] = {}
    partitions: dict[_Place, set[int]] = {}
    for record in records:
        place = _place(record.key)
        partitions.setdefault(place, set()).add(record.partition)
        if record.event is None:
            found.pop(place, None)
        else:
            # Of a delete without its tombstone something stands: not what the CMS has.
            found[place] = _published(record.event)
    wanted = {_place(live): _delivered(live) for live in truth}
    absent = object()
    wrong = {place for place in found.keys() | wanted.keys() if found.get(place, absent) != wanted.get(place, absent)}
    wrong |= {place for place, numbers in partitions.items() if len(numbers) > 1}
    text = f"{len(wrong):,} differ" if wrong else f"{len(found):,} = {len(wanted):,}"
    return Check("latest state = the CMS's", text, holds=not wrong)


def _changes(records: Iterable[Received], account: Account) -> Check:
    """Each change arrived once; beyond them only markers, in the initial sync, of what was gone before it."""
    live_before = {_place(live) for live in account.before}
    expected = Counter(account.expected())
    arrived = Counter(
        identity
        for record in records
        if record.event and (identity := record.identity) and not _old_marker(record.event, identity, live_before)
    )
    missing, surplus = (expected - arrived).total(), (arrived - expected).total()
    problems = [f"{missing:,} missing"] * bool(missing) + [f"{surplus:,} too many"] * bool(surplus)
    text = ", ".join(problems) or f"{expected.total():,} of {expected.total():,}"
    return Check("each change arrived once", text, holds=not problems)


def _old_marker(event: dict[str, Any], identity: Identity, live_before: set[_Place]) -> bool:
    in_snapshot = event["source"]["snapshot"] == "true"
    return identity.removal and in_snapshot and identity[:3] not in live_before


def _sequence(records: Iterable[Received]) -> Check:
    """The numbers are 1 to n, each once, and grow within every partition."""
    by_partition: dict[int, list[int]] = {}
    for record in records:
        if record.event:
            by_partition.setdefault(record.partition, []).append(record.event["source"]["sequence"])
    numbers = sorted(number for part in by_partition.values() for number in part)
    contiguous = numbers == list(range(1, len(numbers) + 1))
    ordered = all(part == sorted(part) for part in by_partition.values())
    text = "gaps or repeats" if not contiguous else f"1 to {len(numbers):,}" if ordered else "out of order"
    return Check("source.sequence has no gap", text, holds=contiguous and ordered)


def _event_ids(records: Iterable[Received]) -> Check:
    """No two events have one id."""
    ids = [record.event["event_id"] for record in records if record.event]
    doubled = len(ids) - len(set(ids))
    text = f"{doubled:,} doubled" if doubled else f"{len(ids):,} ids"
    return Check("no event_id comes twice", text, holds=not doubled)


def _tombstones(records: Sequence[Received]) -> Check:
    """After each delete, and nowhere else, comes the tombstone of its key."""
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


def _home(record: Received) -> tuple[int, EntityKey]:
    return record.partition, record.key


def _place(key: EntityKey | Live) -> _Place:
    return key.entity_type, key.id, key.locale


def _published(event: dict[str, Any]) -> State | None:
    after = event["after"]
    if after is None:
        return None
    return State(after["content_type"], after["revision"], event["source"]["ts_ms"], after["fields"])


def _delivered(live: Live) -> State:
    clock = micros(live.changed_at)
    fields = None if live.fields is None else live.fields.decode()
    return State(live.content_type, live.revision, None if clock is None else clock // 1000, fields)
