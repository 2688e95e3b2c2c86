"""An operator's commands to a stream: take it over, write a checkpoint, let go; its owner recovers and obeys."""

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from connector.errors import ConfigError, ConnectorError, Fenced, TransactionAborted, UnknownOutcome
from connector.events.index import IndexEntry
from connector.kafka.published import Live
from connector.model.checkpoint import ANY_TOPIC, Checkpoint
from connector.stream.publisher import Publisher
from connector.wiring import ConfiguredStream

T = TypeVar("T")

Edit = Callable[[Checkpoint, str], Checkpoint]
"""Gives the checkpoint to write for the one that was found, and the fingerprint of the present configuration."""

Anew = Literal["all"] | dict[str, list[str]] | None
"""What a snapshot publishes whether it changed or not: all, nothing, or what `selected` gives."""

_ATTEMPTS: Final = 10
_AT_ONCE: Final = 10_000  # index entries of one transaction


def take_over(stream: ConfiguredStream, edit: Edit, live: Live | None = None) -> Checkpoint:
    """Commit what `edit` makes of the stream's checkpoint and return it. Raises what `owning` raises.

    `live`: what consumers hold. What of that the stream knows nothing of, since its state was lost or others have
    written it, it knows as live from then on: a snapshot that does not meet it deletes it.
    """
    if live:
        # The most of it, while the owner goes on.
        live.read()
    wanted: list[Checkpoint] = []

    def act(publisher: Publisher) -> Checkpoint:
        found = publisher.checkpoint
        if wanted and _same(found, wanted[-1]):
            return found
        wanted.append(edit(found, stream.fingerprint))
        if live:
            _adopt(publisher, live.read())
        return publisher.commit_checkpoint(wanted[-1])

    return owning(stream, act)


def _adopt(publisher: Publisher, standing: Mapping[bytes, str | None]) -> None:
    """Stage a live entry for each key that is not live in the index; the next commit carries the last of them."""
    checkpoint, index = publisher.checkpoint, publisher.index
    staged = 0
    for key, content_type in standing.items():
        known = index.get(key)
        if known and known.live:
            continue
        # The sequence makes it another digest each time: a delete that is published twice is two events.
        digest = blake2b(key, digest_size=16, key=b"%d" % checkpoint.sequence).digest()
        entry = known or IndexEntry(True, "published", content_type, None, None, digest, checkpoint.epoch)
        live = replace(entry, live=True, digest=digest, epoch=checkpoint.epoch, removed_at=None)
        index.stage(key, live.encode())
        staged += 1
        if staged % _AT_ONCE == 0:
            publisher.commit_checkpoint(checkpoint)


def owning(stream: ConfiguredStream, act: Callable[[Publisher], T]) -> T:
    """Own the stream for as long as `act` takes, and return its result; safe while the stream is being followed.

    Its owner is fenced, and within seconds recovers and goes on from there. Where the owner is quicker, `act` is called
    again on what is committed by then. Raises `Unreachable`, `StreamStopped`, or `ConnectorError` if the owner was
    quicker again and again.
    """
    # Its errors say why there is no connection; a producer's only say that there is none.
    stream.cluster.topics()
    publisher = stream.publisher(stream.store())

    def once() -> T:
        publisher.recover()
        return act(publisher)

    try:
        return against_owner(stream.name, once)
    finally:
        publisher.close()


def against_owner(connection: str, act: Callable[[], T]) -> T:
    """Return what `act` returns, which takes the stream over and commits; called again where its owner was quicker.

    Raises `ConnectorError` if the owner was quicker again and again.
    """
    for _ in range(_ATTEMPTS):
        try:
            return act()
        except (Fenced, TransactionAborted, UnknownOutcome):
            # The owner has taken it back meanwhile, or only the checkpoint knows: the next recovery is quick.
            continue
    raise ConnectorError(
        f"{connection}: its owner took the stream back {_ATTEMPTS} times", hint="try again, or stop the owner first"
    )


def snapshot(checkpoint: Checkpoint, fingerprint: str, *, anew: Anew, allow_deletes: bool) -> Checkpoint:
    """Return the start of a new snapshot: what is published `anew` though unchanged; whether it may delete much."""
    begun = _begun(checkpoint, fingerprint)
    # Everything anew trusts nothing that is known, the clocks least of all.
    asked = {"republish": anew, "allow_deletes": allow_deletes, "rebase": anew == "all", **begun.owed}
    begun = replace(begun, request=_merged(begun, asked))
    # Topics that were deleted meanwhile get everything again: what they were does not matter any more.
    return begun.accepting(ANY_TOPIC) if anew == "all" else begun


def held(stream: ConfiguredStream, anew: Anew) -> Live | None:
    """Return what consumers hold of what a snapshot publishes `anew`, for `take_over`; a plain snapshot asks nobody."""
    if anew is None:
        return None
    if anew == "all":
        return Live(stream.published())
    types, ids = frozenset(anew["content_types"]), frozenset(anew["ids"])
    return Live(stream.published(), lambda key, kind: key.id in ids or kind in types)


def selected(content_types: Sequence[str], ids: Sequence[str]) -> Anew:
    """Return the selection of these content types' entries and of the entities with these ids, None for nothing."""
    if not (content_types or ids):
        return None
    return {"content_types": sorted(set(content_types)), "ids": sorted(set(ids))}


def reset(checkpoint: Checkpoint, fingerprint: str) -> Checkpoint:
    """Return the start of a new snapshot that trusts nothing known: no earlier wish, no smaller page, no clock."""
    begun = _begun(checkpoint, fingerprint)
    return replace(begun, request=json.dumps({"rebase": True, **begun.owed}), page_size=None)


def pause(checkpoint: Checkpoint, _fingerprint: str) -> Checkpoint:
    """Return the checkpoint of a stream that is to rest."""
    return replace(checkpoint, request=_merged(checkpoint, {"paused": True}))


def resume(checkpoint: Checkpoint, _fingerprint: str) -> Checkpoint:
    """Return the checkpoint of a stream that is to go on."""
    return replace(checkpoint, request=_merged(checkpoint, {"paused": False}))


def at_cursor(checkpoint: Checkpoint, fingerprint: str, *, cursor: str) -> Checkpoint:
    """Return the checkpoint of a stream that goes on from a vendor's cursor; sequence and epoch go on as they are.

    Raises `ConnectorError` while everything has to be published again: a cursor leads past most of it.
    """
    if "republish" in _begun(checkpoint, fingerprint).owed:
        raise ConnectorError(
            f"{checkpoint.stream}: its topics lack what is published already, and a cursor leads past it",
            hint=f"let a snapshot publish everything first: contentwire snapshot {checkpoint.stream} --all",
        )
    request = _merged(replace(checkpoint, request=None), {"paused": checkpoint.asks("paused")})
    anew = replace(checkpoint, cursor=cursor, phase="streaming", page=0, walk_open=False, request=request)
    return replace(anew, fingerprint=fingerprint, identity=None, page_size=None)


def exported(checkpoint: Checkpoint) -> str:
    """Return a checkpoint as JSON, for `imported`."""
    return json.dumps(msgspec.to_builtins(checkpoint), indent=2)


def imported(text: str | bytes, name: str) -> Edit:
    """Return the edit that moves a stream to an exported checkpoint; sequence and epoch never go down.

    Raises `ConfigError` where the text is no export, or of a stream amid a snapshot: its cursor stands for less than
    all.
    """
    try:
        source = msgspec.json.decode(text, type=Checkpoint)
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"{name}: not an exported checkpoint: {error}", hint="write one: contentwire checkpoints export"
        ) from error
    if source.phase != "streaming" or source.walk_open or source.page or not source.cursor:
        raise ConfigError(
            f"{name}: was exported in the phase {source.phase}, page {source.page}",
            hint="export it again once the stream is streaming, or take a new snapshot: contentwire snapshot",
        )
    cursor = source.cursor

    def edit(checkpoint: Checkpoint, fingerprint: str) -> Checkpoint:
        if source.fingerprint != fingerprint:
            raise ConfigError(
                f"{name}: was exported under another configuration: its cursor means something else",
                hint="restore space, environment, filters and topic template, or import the bare --cursor",
            )
        return replace(
            at_cursor(checkpoint, fingerprint, cursor=cursor),
            identity=source.identity,
            page_size=source.page_size,
            sequence=max(checkpoint.sequence, source.sequence),
            epoch=max(checkpoint.epoch, source.epoch),
            # A stream whose state is lost has written to these.
            partitions=checkpoint.partitions or source.partitions,
            topic_ids=checkpoint.topic_ids or source.topic_ids,
        )

    return edit


def _begun(checkpoint: Checkpoint, fingerprint: str) -> Checkpoint:
    return checkpoint.restart() if checkpoint.fingerprint == fingerprint else checkpoint.under(fingerprint)


def _merged(checkpoint: Checkpoint, request: dict[str, Any]) -> str | None:
    """Return the wishes so far with `request`; one that is false is none."""
    wishes = json.loads(checkpoint.request) if checkpoint.request else {}
    wishes = {name: wish for name, wish in {**wishes, **request}.items() if wish}
    return json.dumps(wishes) if wishes else None


def _same(one: Checkpoint, other: Checkpoint) -> bool:
    return replace(one, committed_at=other.committed_at) == other
