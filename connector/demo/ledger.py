"""What a CMS says it did and what Kafka showed of it, in one vocabulary, so that the two can be compared. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from connector.model.change import ALL_LOCALES, EntityKey
from connector.simulator import Change, Live


class Identity(NamedTuple):
    """One change of one key. A removal has no revision: its marker tells none."""

    entity_type: str
    id: str
    locale: str
    removal: bool
    revision: int | None


class Received(msgspec.Struct, frozen=True, gc=False):
    """One record of a changes topic: of an event its decoded value, of a tombstone None; `at`: when it was seen."""

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
    """One CMS's own account: what it delivered `before` the connector started, its `changes` since, its `truth` now.

    Between two polls a CMS tells only the latest change of a key. Whoever wants every change to arrive lets each one
    arrive before the same key changes again.
    """

    before: Sequence[Live]
    changes: Sequence[Change]
    truth: Sequence[Live]

    def expected(self) -> list[Identity]:
        """Return every change that must arrive: each live key of the initial sync, and each change since."""
        return [*map(_delivered, self.before), *announced(self.changes, self.before)]


def announced(changes: Iterable[Change], sample: Sequence[Live]) -> list[Identity]:
    """Return what a CMS tells of `changes`; `sample`, some of what it delivers, shows what its keys are like."""
    kinds = {live.entity_type for live in sample}
    by_locale = any(live.locale != ALL_LOCALES for live in sample)
    return [
        identity
        for change in changes
        if change.version.kind in kinds
        for identity in (_each_locale(change) if by_locale else [_whole(change)])
    ]


def _delivered(live: Live) -> Identity:
    return Identity(live.entity_type, live.id, live.locale, removal=False, revision=live.revision)


def _whole(change: Change) -> Identity:
    version, removal = change.version, not change.version.live
    return Identity(version.kind, version.id, ALL_LOCALES, removal, None if removal else version.revision)


def _each_locale(change: Change) -> list[Identity]:
    version, removal = change.version, change.action != "published"
    revision = None if removal else version.revision
    return [Identity(version.kind, version.id, locale.lower(), removal, revision) for locale in change.locales]
