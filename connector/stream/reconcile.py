"""Deletes that a fresh snapshot proves: live keys that the snapshot's epoch did not see have left the CMS."""

from collections.abc import Iterator, Sequence
from itertools import islice

from connector.errors import DeletesHeld
from connector.events.codec import decode_key
from connector.events.filters import wanted
from connector.events.index import Index, IndexEntry
from connector.events.policy import Policy
from connector.model.change import Change
from connector.model.checkpoint import Checkpoint
from connector.model.page import SyncPage
from connector.stream.publisher import Publisher

_WEEK = 7 * 86_400.0
_MAX_FORGOTTEN = 10_000

_MODEL = {"content_type", "locale"}

# A handful of deletes is normal, whatever their share.
_ALWAYS_ALLOWED = 20


def reconcile(publisher: Publisher, *, max_delete_share: float, page_items: int) -> Checkpoint:
    """Delete what vanished, in bounded transactions, then go on to `streaming`; a restart continues where it stopped.

    Raises `DeletesHeld`, with nothing deleted, when more than `max_delete_share` of the live keys would go.
    """
    checkpoint = publisher.checkpoint
    position, allowed = checkpoint.position, checkpoint.request.allow_deletes
    vanished, live = _vanished(publisher.index, position.epoch)
    if not publisher.catalog:
        vanished = _asked_for(vanished, publisher.index, position.epoch, publisher.policy)
    count = len(vanished)
    # An open walk has been judged before: what it has already deleted no longer counts as live.
    if not (allowed or position.walk_open) and count > max(_ALWAYS_ALLOWED - 1, max_delete_share * live):
        raise DeletesHeld(
            f"the new snapshot lacks {count} of {live} live keys, more than max_delete_share = {max_delete_share}",
            hint=f"if that is right: contentwire snapshot {checkpoint.stream} --allow-deletes; else correct the filter",
            held=count,
        )
    for changes in _chunks(_deletes(publisher.index, vanished), page_items):
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


def _vanished(index: Index, epoch: int) -> tuple[list[bytes], int]:
    """Return the live keys that the epoch did not see, and how many are live."""
    vanished, live = [], 0
    for body, entry in index.entries():
        live += entry.live
        if entry.live and entry.epoch != epoch:
            vanished.append(body)
    return vanished, live


def _asked_for(vanished: Sequence[bytes], index: Index, epoch: int, policy: Policy) -> list[bytes]:
    """Return the keys without those that only the content model's lists deliver: without tables nobody reads these.

    What the filters leave out stays. Where content types are in the stream, the snapshot has delivered some.
    """
    model = {}
    for body in vanished:
        key, entry = decode_key(body), index.get(body)
        if key.entity_type in _MODEL and entry and wanted(policy, key, entry.content_type):
            model[body] = key.entity_type
    if not model:
        return list(vanished)
    streamed = {decode_key(body).entity_type for body, entry in index.entries() if entry.live and entry.epoch == epoch}
    return [body for body in vanished if model.get(body) is None or model[body] in streamed]


def _deletes(index: Index, vanished: Sequence[bytes]) -> Iterator[Change]:
    return (_delete(body, entry) for body in vanished if (entry := index.get(body)))


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
