"""What a CMS says it did, and what arrived in Kafka, in one vocabulary, so that the two can be compared. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from connector.model.change import ALL_LOCALES, EntityKey
from connector.simulator import Change, Live, Simulator

Place = tuple[str, str, str]


class Identity(NamedTuple):
    """One change of one key. A removal has no revision: its marker carries none."""

    entity_type: str
    id: str
    locale: str
    removal: bool
    revision: int | None


class Received(msgspec.Struct, frozen=True, gc=False):
    """One record of a changes topic. `event`: its decoded value, None for a tombstone; `at`: when it was seen."""

    partition: int
    key: EntityKey
    event: dict[str, Any] | None
    at: float

    @property
    def identity(self) -> Identity | None:
        """What the event says happened; None for a tombstone."""
        if self.event is None:
            return None
        after = self.event["after"]
        revision = after["revision"] if after else None
        return Identity(self.key.entity_type, self.key.id, self.key.locale, after is None, revision)


class Account(msgspec.Struct, frozen=True):
    """One CMS's own record: every change that must have arrived, what it delivers now, what was gone from the start.

    A snapshot may report again what was `gone` before the connector started, but need not; so may a delta after one
    that was `cut_short`.
    """

    expected: Counter[Identity]
    truth: Sequence[Live]
    gone: frozenset[Place] = frozenset()
    cut_short: bool = False


class Ledger:
    """Keeps one simulated CMS's account from now on; `before` is what it delivers now.

    Call `note` whenever its content has changed. Between two polls a CMS reports only the latest change of a key: for
    every change to arrive, let each one arrive before the same key changes again.
    """

    def __init__(self, simulator: Simulator, vendor: str) -> None:
        self._simulator = simulator
        self._vendor = vendor
        self.before = self._held = simulator.truth(vendor)
        self._expected = Counter(expected(self.before))
        self._gone = self._gone_by_now()
        self._noted = len(simulator.changes())

    def note(self) -> None:
        """Add what has changed since the last time."""
        changes = self._simulator.changes()
        self._expected.update(announced(changes[self._noted :], self.before))
        self._held, self._noted = self._simulator.truth(self._vendor), len(changes)

    def note_swap(self) -> None:
        """Add that another environment replaces the one noted last: what both hold is not a change."""
        former = {place(live): live for live in self._held}
        self._held, self._noted = self._simulator.truth(self._vendor), len(self._simulator.changes())
        now = {place(live): live for live in self._held}
        self._expected.update(Identity(*gone, removal=True, revision=None) for gone in former.keys() - now.keys())
        self._expected.update(expected(live for at, live in now.items() if not _alike(live, former.get(at))))
        self._gone |= self._gone_by_now()

    def account(self) -> Account:
        """Return the account of what was noted, and of what the CMS delivers now."""
        return Account(self._expected, self._simulator.truth(self._vendor), frozenset(self._gone))

    def _gone_by_now(self) -> set[Place]:
        reported = announced(self._simulator.changes(), self._held)
        return {identity[:3] for identity in reported} - set(map(place, self._held))


def place(one: EntityKey | Live) -> Place:
    """Return an entity's place: entity type, id and locale."""
    return one.entity_type, one.id, one.locale


def expected(lives: Iterable[Live]) -> list[Identity]:
    """Return what must arrive from a CMS that delivers `lives`."""
    return [Identity(*place(live), removal=False, revision=live.revision) for live in lives]


def announced(changes: Iterable[Change], sample: Sequence[Live]) -> list[Identity]:
    """Return what a CMS reports of `changes`; `sample`, some of what it delivers, shows what its keys look like."""
    kinds = {live.entity_type for live in sample}
    by_locale = any(live.locale != ALL_LOCALES for live in sample)
    return [
        identity
        for change in changes
        if change.version.kind in kinds
        for identity in (_each_locale(change) if by_locale else [_whole(change)])
    ]


def _whole(change: Change) -> Identity:
    version, removal = change.version, not change.version.live
    return Identity(version.kind, version.id, ALL_LOCALES, removal, None if removal else version.revision)


def _each_locale(change: Change) -> list[Identity]:
    version, removal = change.version, change.action != "published"
    revision = None if removal else version.revision
    return [Identity(version.kind, version.id, locale.lower(), removal, revision) for locale in change.locales]


def _alike(one: Live, other: Live | None) -> bool:
    return other is not None and (one.revision, one.fields) == (other.revision, other.fields)
