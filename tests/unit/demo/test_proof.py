"""The demo's proof detects every way in which a changes topic can differ from the CMS."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from connector.demo.ledger import Account, Identity, Ledger, Received, announced, place
from connector.demo.proof import prove
from connector.model.change import EntityKey
from connector.model.timestamp import micros
from connector.simulator import Change, Live, Simulator

Records = list[Received]

STATE, CHANGES, SEQUENCE, EVENT_IDS, TOMBSTONES = range(5)


class Consumer:
    """Records what a perfect connector would publish, for each test to spoil."""

    def __init__(self) -> None:
        self.records: Records = []
        self._sequence = 0

    def snapshot(self, lives: Sequence[Live]) -> None:
        """Publish an initial sync."""
        for live in lives:
            self.publish(live, snapshot="true")

    def publish(self, live: Live, *, snapshot: str = "false") -> None:
        """Publish a live key's state."""
        clock = micros(live.changed_at)
        after = {
            "content_type": live.content_type,
            "revision": live.revision,
            "fields": None if live.fields is None else live.fields.decode(),
        }
        assert clock is not None
        self._append(_key(live.entity_type, live.id, live.locale), "u", after, clock // 1000, snapshot)

    def remove(self, entity_type: str, entity: str, locale: str = "*", *, snapshot: str = "false") -> None:
        """Publish a removal and its tombstone."""
        key = _key(entity_type, entity, locale)
        self._append(key, "d", None, 0, snapshot)
        self.records.append(_received(key, None))

    def _append(self, key: EntityKey, op: str, after: Any, ts_ms: int, snapshot: str) -> None:
        self._sequence += 1
        source = {"sequence": self._sequence, "ts_ms": ts_ms, "snapshot": snapshot}
        event = {"op": op, "after": after, "source": source, "event_id": f"{self._sequence:032x}"}
        self.records.append(_received(key, event))


def _key(entity_type: str, entity: str, locale: str) -> EntityKey:
    return EntityKey("blog", entity_type, entity, locale)


def _received(key: EntityKey, event: dict[str, Any] | None) -> Received:
    # As a partitioner does: a function of the key.
    return Received(partition=sum(key.id.encode()) % 3, key=key, event=event, at=0.0)


def _in_partitions(records: Records) -> Records:
    return sorted(records, key=lambda record: record.partition)


def _story(vendor: str = "contentful") -> tuple[Records, Account]:
    """Return a snapshot, an edit and a deletion, as a perfect connector and as the CMS report them."""
    simulator, consumer = Simulator(entries=20), Consumer()
    ledger = Ledger(simulator, vendor)
    consumer.snapshot(ledger.before)
    edited, deleted = simulator.ids()[:2]
    simulator.edit(edited)
    for live in simulator.truth(vendor):
        if live.id == edited:
            consumer.publish(live)
    simulator.delete(deleted)
    for live in ledger.before:
        if live.id == deleted:
            consumer.remove(live.entity_type, live.id, live.locale)
    ledger.note()
    return consumer.records, ledger.account()


def _failing(records: Records, account: Account) -> set[int]:
    return {place for place, check in enumerate(prove(_in_partitions(records), account)) if not check.holds}


def _position(records: Records, op: str | None) -> int:
    """Return where the last event of an op, or the last tombstone, is."""
    ops = [record.event["op"] if record.event else None for record in records]
    return len(ops) - 1 - ops[::-1].index(op)


@pytest.mark.parametrize("vendor", Simulator(entries=1).vendors)
def test_a_perfect_stream_holds(vendor: str) -> None:
    """What the CMS reports and nothing else, whatever its keys are like: every check holds."""
    assert _failing(*_story(vendor)) == set()


def test_a_lost_event_is_missed() -> None:
    """Without the edit's event the key's state is old, the change is missing and the sequence has a gap."""
    records, account = _story()
    del records[_position(records, "u")]
    assert _failing(records, account) == {STATE, CHANGES, SEQUENCE}


def test_a_repeated_event_is_noticed_whatever_its_id() -> None:
    """A copy fails as a change, and by its number and id as well unless it has new ones."""
    records, account = _story()
    copied = records[_position(records, "u")]
    assert _failing([*records, copied], account) == {CHANGES, SEQUENCE, EVENT_IDS}
    assert copied.event
    source = {**copied.event["source"], "sequence": account.expected.total() + 1}
    renamed = _received(copied.key, {**copied.event, "source": source, "event_id": "another"})
    assert _failing([*records, renamed], account) == {CHANGES}


def test_a_delete_without_its_tombstone_is_noticed() -> None:
    """Compaction would keep the delete's own record permanently: the row is not gone."""
    records, account = _story()
    del records[_position(records, None)]
    assert _failing(records, account) == {STATE, TOMBSTONES}


def test_a_lost_delete_leaves_a_row_that_the_cms_no_longer_has() -> None:
    """Neither event nor tombstone: the latest states and the changes both fail."""
    records, account = _story()
    place = _position(records, "d")
    del records[place : place + 2]
    assert _failing(records, account) == {STATE, CHANGES}


def test_a_stray_tombstone_is_noticed() -> None:
    """A tombstone without a delete before it removes a live row."""
    records, account = _story()
    first = records[0]
    assert _failing([*records, _received(first.key, None)], account) == {STATE, TOMBSTONES}


def test_a_tombstone_of_another_key_is_not_the_delete_s_own() -> None:
    """It removes a live row, and leaves the deleted one."""
    records, account = _story()
    place = _position(records, None)
    partition = records[place].partition
    other = next(record for record in records if record.partition == partition and record.key != records[place].key)
    records[place] = _received(other.key, None)
    assert _failing(records, account) == {STATE, TOMBSTONES}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda after: {**after, "fields": (after["fields"] or "") + " "},
        lambda after: {**after, "content_type": "other"},
    ],
)
def test_the_latest_state_is_compared_to_the_byte(spoil: Callable[[Any], Any]) -> None:
    """One more byte in the fields, or another content type, is not what the CMS has."""
    records, account = _story()
    place = _position(records, "u")
    spoilt = records[place]
    assert spoilt.event
    records[place] = _received(spoilt.key, {**spoilt.event, "after": spoil(spoilt.event["after"])})
    assert _failing(records, account) == {STATE}


def test_an_older_revision_is_another_change() -> None:
    """The right key with the wrong revision is a change that never happened, and one that is missing."""
    records, account = _story()
    place = _position(records, "u")
    spoilt = records[place]
    assert spoilt.event
    after = {**spoilt.event["after"], "revision": spoilt.event["after"]["revision"] - 1}
    records[place] = _received(spoilt.key, {**spoilt.event, "after": after})
    assert _failing(records, account) == {STATE, CHANGES}


def test_a_key_on_two_partitions_is_noticed() -> None:
    """The order of a key's records, and so its state, would be undefined."""
    records, account = _story()
    place = _position(records, "u")
    moved = records[place]
    records[place] = Received(partition=(moved.partition + 1) % 3, key=moved.key, event=moved.event, at=0.0)
    assert STATE in _failing(records, account)


def test_events_out_of_order_are_noticed() -> None:
    """Complete numbers that decrease within a partition fail."""
    records, account = _story()
    partition = records[0].partition
    same = [place for place, record in enumerate(records) if record.partition == partition and record.event][:2]
    records[same[0]], records[same[1]] = records[same[1]], records[same[0]]
    assert _failing(records, account) == {SEQUENCE}


def with_old_markers(reported: Sequence[str], *, cut_short: bool = False) -> set[int]:
    """Return which checks fail if what was gone before is reported in events with these values of `snapshot`."""
    simulator, consumer = Simulator(entries=20), Consumer()
    gone = simulator.delete(simulator.ids()[0])
    ledger = Ledger(simulator, "weegloo")
    for snapshot in reported:
        consumer.remove("entry", gone, snapshot=snapshot)
    consumer.snapshot(ledger.before)
    return _failing(consumer.records, replace(ledger.account(), cut_short=cut_short))


def test_old_markers_belong_only_to_the_initial_sync() -> None:
    """A removal of a key that was gone before is allowed once in the snapshot, and surplus later or a second time."""
    for reported, failing in ((["true"], set()), (["false"], {CHANGES}), (["true", "true"], {CHANGES})):
        assert with_old_markers(reported) == failing


def test_old_markers_may_follow_an_initial_sync_that_was_cut_short() -> None:
    """Each of them once: the rest of the sync is a delta."""
    for reported, failing in ((["false"], set()), (["false", "false"], {CHANGES})):
        assert with_old_markers(reported, cut_short=True) == failing


def test_a_marker_of_something_that_never_existed_is_noticed() -> None:
    """No snapshot may report the removal of something that the CMS never had."""
    ledger, consumer = Ledger(Simulator(entries=20), "weegloo"), Consumer()
    consumer.remove("entry", "never-there", snapshot="true")
    consumer.snapshot(ledger.before)
    assert _failing(consumer.records, ledger.account()) == {CHANGES}


def test_a_snapshot_that_removes_what_is_live_is_noticed() -> None:
    """A marker of a key that the CMS still holds is not an old one."""
    ledger, consumer = Ledger(Simulator(entries=20), "weegloo"), Consumer()
    consumer.snapshot(ledger.before)
    consumer.remove(ledger.before[0].entity_type, ledger.before[0].id, snapshot="true")
    assert _failing(consumer.records, ledger.account()) == {STATE, CHANGES}


@pytest.mark.parametrize("vendor", Simulator(entries=1).vendors)
def test_of_two_environments_only_what_differs_is_expected(vendor: str) -> None:
    """What only the former had is removed, what differs is published again, what both have is not."""
    simulator, consumer = Simulator(entries=20), Consumer()
    ledger = Ledger(simulator, vendor)
    consumer.snapshot(ledger.before)
    former = {place(live): live for live in ledger.before}
    simulator.swap_environment()
    ledger.note_swap()
    now = {place(live): live for live in simulator.truth(vendor)}
    for gone in former.keys() - now.keys():
        consumer.remove(*gone)
    changed = [live for at, live in now.items() if at not in former or former[at].fields != live.fields]
    for live in changed:
        consumer.publish(live)
    assert _failing(consumer.records, ledger.account()) == set()
    consumer.publish(changed[0])
    assert CHANGES in _failing(consumer.records, ledger.account())


def test_the_story_of_a_removal_of_one_locale_differs_by_vendor() -> None:
    """It is a removal if keys have locales; otherwise the entity is published without the locale."""
    simulator = Simulator(entries=20)
    holdings = {vendor: simulator.truth(vendor) for vendor in simulator.vendors}
    entity = next(
        live.id for live in holdings["contentstack"] if live.locale == "de-de" and live.entity_type == "entry"
    )
    simulator.unpublish(entity, locale="de-DE")
    change: Change = simulator.changes()[-1]
    reported = {vendor: announced([change], lives) for vendor, lives in holdings.items()}
    assert reported["contentstack"] == [Identity("entry", entity, "de-de", removal=True, revision=None)]
    whole = [Identity("entry", entity, "*", removal=False, revision=change.version.revision)]
    assert reported["contentful"] == whole
    assert reported["weegloo"] == whole


def test_changes_of_what_a_vendor_does_not_deliver_are_not_expected() -> None:
    """Content types are in some vendors' streams and not in others'."""
    simulator = Simulator(entries=20)
    holdings = {vendor: simulator.truth(vendor) for vendor in simulator.vendors}
    types = [change for change in simulator.changes() if change.version.kind == "content_type"]
    reported = {vendor: len(announced(types, lives)) for vendor, lives in holdings.items()}
    delivering = {
        vendor for vendor, lives in holdings.items() if "content_type" in {live.entity_type for live in lives}
    }
    assert reported == {vendor: len(types) if vendor in delivering else 0 for vendor in simulator.vendors}
    assert {"weegloo"} <= delivering < set(simulator.vendors)
