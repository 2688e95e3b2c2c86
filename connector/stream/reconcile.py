"""Deletes that a fresh snapshot proves: live keys that the snapshot's epoch did not see have left the CMS."""

from collections.abc import Callable, Iterator
from itertools import islice

from connector.errors import DeletesHeld
from connector.events.codec import decode_key
from connector.events.filters import wanted
from connector.events.index import Index, IndexEntry
from connector.events.policy import Policy
from connector.model.change import Change, EntityKey
from connector.model.checkpoint import Checkpoint
from connector.model.page import SyncPage
from connector.stream.publisher import Publisher

_WEEK = 7 * 86_400.0
_MAX_FORGOTTEN = 10_000

_MODEL = {"content_type", "locale"}

Spared = Callable[[EntityKey, str | None], bool]
"""Whether a key, with its content type, is none that a snapshot can prove to be gone."""

# A handful of deletes is normal, whatever their share.
_ALWAYS_ALLOWED = 20


def reconcile(publisher: Publisher, *, max_delete_share: float, page_items: int) -> Checkpoint:
    """Delete what vanished, in bounded transactions, then go on to `streaming`; a restart continues where it stopped.

    Raises `DeletesHeld`, with nothing deleted, when more than `max_delete_share` of the live keys would go.
    """
    checkpoint = publisher.checkpoint
    position, allowed = checkpoint.position, checkpoint.request.allow_deletes
    spared = _none if publisher.catalog else _unasked(publisher.index, position.epoch, publisher.policy)
    vanished, live = _count(publisher.index, position.epoch, spared)
    # An open walk has been judged before: what it has already deleted no longer counts as live.
    if not (allowed or position.walk_open) and vanished > max(_ALWAYS_ALLOWED - 1, max_delete_share * live):
        raise DeletesHeld(
            f"the new snapshot lacks {vanished} of {live} live keys, more than max_delete_share = {max_delete_share}",
            hint=f"if that is right: contentwire snapshot {checkpoint.stream} --allow-deletes; else correct the filter",
            held=vanished,
        )
    for changes in _chunks(_deletes(publisher.index, position.epoch, spared), page_items):
        publisher.publish([SyncPage(changes, position.opened(), caught_up=False)])
    if publisher.catalog:
        for changes in _chunks(_removals(publisher.index), page_items):
            publisher.publish([SyncPage(changes, position.opened(), caught_up=False)])
    forgotten = [body for body, entry in _forgettable(publisher.index) if entry.epoch != position.epoch]
    while len(forgotten) > page_items:
        publisher.commit_checkpoint(publisher.checkpoint, forget=forgotten[-page_items:])
        del forgotten[-page_items:]
    return publisher.commit_checkpoint(publisher.checkpoint.snapshot_finished(), forget=forgotten)


def long_dead(index: Index, now: float) -> list[bytes]:
    """Return keys whose removal was published more than a week before `now`, at most a transaction's worth.

    No delivery is so late that staleness still matters. Our own clock counts: a CMS may report removals years later.
    """
    horizon = (now - _WEEK) * 1000
    found = _forgettable(index)
    dead = (body for body, entry in found if entry.removed_at is not None and entry.removed_at < horizon)
    return list(islice(dead, _MAX_FORGOTTEN))


def _unasked(index: Index, epoch: int, policy: Policy) -> Spared:
    """Return which keys only the content model's lists deliver: without tables nobody asks for them.

    What the filters leave out is none. Where content types are in the stream, the snapshot has delivered some.
    """
    found = ((decode_key(body), entry.content_type) for body, entry in _vanished(index, epoch, _none))
    kinds = {key.entity_type for key, type_ in found if key.entity_type in _MODEL and wanted(policy, key, type_)}
    if kinds:
        live = (body for body, entry in index.entries() if entry.live and entry.epoch == epoch)
        kinds -= {decode_key(body).entity_type for body in live}
    return lambda key, type_: key.entity_type in kinds and wanted(policy, key, type_)


def _none(_key: EntityKey, _content_type: str | None) -> bool:
    return False


def _vanished(index: Index, epoch: int, spared: Spared) -> Iterator[tuple[bytes, IndexEntry]]:
    for body, entry in index.entries():
        if entry.live and entry.epoch != epoch and not spared(decode_key(body), entry.content_type):
            yield body, entry


def _count(index: Index, epoch: int, spared: Spared) -> tuple[int, int]:
    live = sum(1 for _, entry in index.entries() if entry.live)
    return sum(1 for _ in _vanished(index, epoch, spared)), live


def _deletes(index: Index, epoch: int, spared: Spared) -> Iterator[Change]:
    return (_delete(body, entry) for body, entry in _vanished(index, epoch, spared))


def _removals(index: Index) -> Iterator[Change]:
    """Yield the removals, published while there were no tables, of keys that still have rows."""
    for body, entry in index.dead():
        if entry.rows:
            yield _delete(body, entry)


def _forgettable(index: Index) -> Iterator[tuple[bytes, IndexEntry]]:
    """Yield the dead keys that have no rows: those of the others are still to be deleted, if tables come back."""
    return ((body, entry) for body, entry in index.dead() if not entry.rows)


def _delete(body: bytes, entry: IndexEntry) -> Change:
    return Change(
        key=decode_key(body),
        change_type="unpublished" if entry.change_type == "unpublished" else "deleted",
        digest=entry.digest,
        content_type=entry.content_type,
        revision=entry.revision,
    )


def _chunks(changes: Iterator[Change], size: int) -> Iterator[tuple[Change, ...]]:
    chunk: list[Change] = []
    for change in changes:
        chunk.append(change)
        if len(chunk) == size:
            yield tuple(chunk)
            chunk = []
    if chunk:
        yield tuple(chunk)
