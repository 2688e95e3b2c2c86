"""Replays dead letters after a fix: those that can now be read are published, the others stay.

An item is published as if it had just arrived: the rule for older and repeated items keeps it from overwriting
anything newer, and publishes it once however often it is replayed. If that rule cannot decide, because an item has no
clock or its key may have been forgotten, the letter stays; take a snapshot of the entity instead. If its event was
published before, and nothing newer since, its rows are written now: the letter may be of a row that was withheld.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from connector.cms.vendor import Vendor
from connector.errors import ConnectorError, EventTooLarge, ItemRefused, ModelOutdated
from connector.events import codec
from connector.events.envelope import Event
from connector.events.table_rows import withheld
from connector.kafka.published import Entry
from connector.model.change import Change
from connector.model.page import Frame, SyncPage
from connector.stream.publisher import Publisher
from connector.wiring import ConfiguredStream

# The index forgets what was removed a week ago; an hour less, because clocks differ.
_REMEMBERED: Final = 7 * 86_400.0 - 3600
_MAX_NAMED: Final = 3

Letter = dict[str, Any]


class Stays(msgspec.Struct, frozen=True):
    """A letter that was not published, and why."""

    letter: Letter
    why: str


class Replayed(msgspec.Struct, frozen=True):
    """The outcome for `letters`: `published` events, and what stays; the rest was already published or superseded.

    Rows are not counted.
    """

    letters: int
    published: int
    stays: tuple[Stays, ...] = ()


def replay(stream: ConfiguredStream, entries: Iterable[Entry]) -> Replayed:
    """Publish those of these dead letters that can now be read; works on a running stream.

    Raises what `ConfiguredStream.owning` raises, and `ConnectorError` during a snapshot, which reads every item again
    anyway.
    """
    letters = [entry.value for entry in entries if entry.value]
    if not letters:
        return Replayed(0, 0)
    # What is still too large must not become another letter.
    strict = stream.having(oversized="stop") if stream.connection.oversized == "dead-letter" else stream
    act = partial(_publish, letters, strict.vendor, strict.fingerprint, strict.clock.wall())
    return strict.owning(act, rows_again=True)


def _publish(letters: list[Letter], vendor: Vendor, fingerprint: str, now: float, publisher: Publisher) -> Replayed:
    checkpoint = publisher.checkpoint
    if checkpoint.fingerprint != fingerprint or checkpoint.position.phase != "streaming":
        raise ConnectorError(
            f"{checkpoint.stream}: a snapshot is running or due, and reads every item again anyway",
            hint="replay what is left once the stream is streaming: contentwire status",
        )
    readable: list[tuple[Letter, Change]] = []
    stays: list[Stays] = []
    for letter in letters:
        page = vendor.read(Frame([letter["raw"]], checkpoint.position, caught_up=False))
        stays += [Stays(letter, f"{still.error}: {still.reason}") for still in page.dead_letters]
        for change in page.changes:
            if why := _obstacle(change, letter, publisher, now):
                stays.append(Stays(letter, why))
                continue
            if unfit := _unfit(change, publisher):
                stays.append(Stays(letter, unfit))
            if not (unfit and _published(change, publisher)):
                readable.append((letter, change))
    stays += _commit(readable, publisher)
    return Replayed(len(letters), publisher.checkpoint.progress.sequence - checkpoint.progress.sequence, tuple(stays))


def _commit(readable: Sequence[tuple[Letter, Change]], publisher: Publisher) -> list[Stays]:
    """Publish in as few transactions as items that are still too large allow; return those items' letters."""
    if not readable:
        return []
    try:
        position = publisher.checkpoint.position
        publisher.publish([SyncPage(tuple(change for _, change in readable), position, caught_up=False)])
    except ItemRefused as error:
        if len(readable) == 1:
            return [Stays(readable[0][0], f"{EventTooLarge.__name__}: {error}")]
        middle = len(readable) // 2
        return [*_commit(readable[:middle], publisher), *_commit(readable[middle:], publisher)]
    return []


def _published(change: Change, publisher: Publisher) -> bool:
    """Return whether the event of a change was the last one of its key."""
    known = publisher.index.get(codec.encode_key(change.key))
    return known is not None and known.digest == change.digest


def _unfit(change: Change, publisher: Publisher) -> str:
    """Return why a change does not fit into its table, or nothing."""
    catalog, stream = publisher.catalog, publisher.checkpoint.stream
    if catalog is None or change.change_type != "published":
        return ""
    event = Event(change, None, "r", "delta", 0, "", 0, "false", None)
    try:
        try:
            found = catalog.rows(event, frozenset())
        except ModelOutdated as error:
            if error.item is None:
                raise
            publisher.follow_model(catalog.with_type(error.item))
            found = catalog.rows(event, frozenset())
    except ModelOutdated as error:
        return f"{error}: contentwire resume {stream} makes the stream ask for it"
    if not found or not found.misfits:
        return ""
    said = withheld(found.table, found.misfits[:_MAX_NAMED])
    return f"{said}; once the CMS's content model has changed: contentwire resume {stream}"


def _obstacle(change: Change, letter: Letter, publisher: Publisher, now: float) -> str:
    """Return why a change cannot be published safely, or nothing."""
    checkpoint = publisher.checkpoint
    if publisher.catalog and _published(change, publisher):
        return ""
    known = publisher.index.get(codec.encode_key(change.key))
    another = change.scope != "key" or (known is not None and known.digest != change.digest)
    by_snapshot = f"contentwire snapshot {checkpoint.stream} --entity {change.key.id}"
    if letter["epoch"] < checkpoint.position.epoch:
        return "a later snapshot has read everything"
    if known is None and now - letter["ts_ms"] / 1000 > _REMEMBERED:
        return f"its key may have been removed and forgotten since: {by_snapshot}"
    if another and change.clock is None:
        return f"has no clock to compare with what has been published since: {by_snapshot}"
    return ""
