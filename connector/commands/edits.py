"""How operator commands edit a stream's checkpoint: a new snapshot, a pause, another cursor. Pure."""

import json
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from connector.errors import ConfigError, ConnectorError
from connector.events.state_record import flat, read_json
from connector.model.change import EntityKey
from connector.model.checkpoint import Checkpoint, Position, Republish, Request, Selection

Edit = Callable[[Checkpoint, str], Checkpoint]
"""Takes the checkpoint found and the fingerprint of the current configuration; returns the checkpoint to write."""


def snapshot(
    checkpoint: Checkpoint, fingerprint: str, *, republish: Republish, allow_deletes: bool, rows: bool = False
) -> Checkpoint:
    """Return the start of a new snapshot: `republish` says what it publishes even if unchanged.

    With `rows` it writes the rows of everything, changed or not.
    """
    begun = _begun(checkpoint, fingerprint)
    carried, everything = begun.carried_over, republish == "all"
    request = Request(
        paused=begun.request.paused,
        republish=carried.republish or republish,
        allow_deletes=allow_deletes,
        # To republish everything is to trust nothing known, least of all the clocks.
        rebase=carried.rebase or everything,
        rows=carried.rows or rows,
    )
    # Topics that were deleted meanwhile get everything again: what they were no longer matters.
    progress = begun.progress.replaceable_tables() if rows else begun.progress
    progress = progress.replaceable() if everything else progress
    return replace(begun, request=request, progress=progress)


def chosen(republish: Republish) -> Callable[[EntityKey, str | None], bool] | None:
    """Return `republish` as a predicate of a key and its content type; None for nothing."""
    if republish is None:
        return None
    if republish == "all":
        return lambda *_: True
    types, ids = frozenset(republish.content_types), frozenset(republish.ids)
    return lambda key, kind: key.id in ids or kind in types


def selected(content_types: Sequence[str], ids: Sequence[str], *, everything: bool = False) -> Republish:
    """Return everything, or a selection of the entries of these types and the entities with these ids; else None."""
    if everything:
        return "all"
    if not (content_types or ids):
        return None
    return Selection(tuple(sorted(set(content_types))), tuple(sorted(set(ids))))


def reset(checkpoint: Checkpoint, fingerprint: str) -> Checkpoint:
    """Return the start of a new snapshot that trusts nothing known: no earlier request, no smaller page, no clock."""
    begun = _begun(checkpoint, fingerprint)
    carried = begun.carried_over
    request = Request(republish=carried.republish, rebase=True, rows=carried.rows)
    return replace(begun, request=request, position=replace(begun.position, page_size=None))


def pause(checkpoint: Checkpoint, _fingerprint: str) -> Checkpoint:
    """Return the checkpoint of a stream to pause."""
    return replace(checkpoint, request=replace(checkpoint.request, paused=True))


def resume(checkpoint: Checkpoint, _fingerprint: str) -> Checkpoint:
    """Return the checkpoint of a stream to resume."""
    return replace(checkpoint, request=replace(checkpoint.request, paused=False))


def at_cursor(checkpoint: Checkpoint, fingerprint: str, *, cursor: str) -> Checkpoint:
    """Return the checkpoint of a stream that continues from a vendor's cursor; sequence and epoch are kept.

    Raises `ConnectorError` while everything, or all rows, have to be published again: a cursor would skip most of it.
    """
    due = _begun(checkpoint, fingerprint).carried_over
    if due.republish or due.rows:
        what, option = ("everything", "all") if due.republish else ("all rows", "tables")
        raise ConnectorError(
            f"{checkpoint.stream}: its topics lack what was already published, and a cursor would skip it",
            hint=f"let a snapshot publish {what} first: contentwire snapshot {checkpoint.stream} --{option}",
        )
    position = Position(cursor=cursor, phase="streaming", epoch=checkpoint.position.epoch)
    request = Request(paused=checkpoint.request.paused)
    return replace(checkpoint, fingerprint=fingerprint, position=position, request=request)


def exported(checkpoint: Checkpoint) -> str:
    """Return a checkpoint as JSON, for `imported`."""
    return json.dumps(flat(checkpoint), indent=2)


def imported(text: str | bytes, name: str) -> Edit:
    """Return the edit that moves a stream to an exported checkpoint; sequence and epoch never go down.

    Raises `ConfigError` if the text is not an export, or was exported during a snapshot: such a cursor does not cover
    everything.
    """
    try:
        source = read_json(text)
    except ValueError as error:
        raise ConfigError(
            f"{name}: not an exported checkpoint: {error}", hint="write one: contentwire checkpoints export"
        ) from error
    there = source.position
    if there.phase != "streaming" or there.walk_open or there.page or not there.cursor:
        raise ConfigError(
            f"{name}: was exported in the phase {there.phase}, page {there.page}",
            hint="export it again once the stream is streaming, or take a new snapshot: contentwire snapshot",
        )
    cursor = there.cursor

    def edit(checkpoint: Checkpoint, fingerprint: str) -> Checkpoint:
        if source.fingerprint != fingerprint:
            raise ConfigError(
                f"{name}: was exported under another configuration: its cursor means something else",
                hint="restore space, environment, filters and topic template, or import the bare --cursor",
            )
        epoch = max(checkpoint.position.epoch, there.epoch)
        progress = replace(
            checkpoint.progress,
            sequence=max(checkpoint.progress.sequence, source.progress.sequence),
            # If the state was lost, the stream has nevertheless written to these.
            topics=checkpoint.progress.topics or source.progress.topics,
        )
        return replace(
            at_cursor(checkpoint, fingerprint, cursor=cursor), position=replace(there, epoch=epoch), progress=progress
        )

    return edit


def _begun(checkpoint: Checkpoint, fingerprint: str) -> Checkpoint:
    if checkpoint.fingerprint == fingerprint:
        return checkpoint.restart()
    begun = checkpoint.restarted_for(fingerprint)
    return begun.restart() if begun.position.epoch == checkpoint.position.epoch else begun
