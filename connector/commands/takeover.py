"""Gives a stream an operator's command: takes it over, writes a checkpoint, lets go; its owner recovers and obeys."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

from msgspec.structs import replace

from connector.commands.edits import Edit
from connector.events import codec
from connector.events.index import IndexEntry, row_locales, written_rows
from connector.kafka.published import Held, Live
from connector.model.checkpoint import Checkpoint
from connector.stream.publisher import Publisher
from connector.tables import names
from connector.wiring import ConfiguredStream

_AT_ONCE: Final = 10_000  # index entries of one transaction


def take_over(stream: ConfiguredStream, edit: Edit, live: Live | None = None) -> Checkpoint:
    """Commit the stream's checkpoint as edited by `edit`, and return it. Raises what `ConfiguredStream.owning` raises.

    `live`: what consumers hold. Keys and rows among it that the stream does not know, because its state was lost or
    others wrote them, become live in its index: a snapshot that does not meet them deletes them.
    """
    if live:
        # Read most of it while the owner continues.
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

    return stream.owning(act)


def _adopt(publisher: Publisher, standing: Mapping[bytes, Held]) -> None:
    """Stage a live entry for each key that is not live in the index, or has rows that the index does not know.

    The next commit carries the last of them.
    """
    checkpoint, index = publisher.checkpoint, publisher.index
    epoch = checkpoint.position.epoch
    staged = 0
    for key, held in standing.items():
        known = index.get(key)
        content_type, rows = _rows(key, held, known, publisher)
        before = row_locales(known.rows) if known else frozenset()
        if (known and known.live and rows <= before) or not (held.live or rows):
            continue
        # The sequence makes each digest different: a delete that is published twice is two events.
        digest = blake2b(key, digest_size=16, key=b"%d" % checkpoint.progress.sequence).digest()
        entry = known or IndexEntry(True, "published", content_type, None, None, digest, epoch)
        if not entry.live:
            entry = replace(entry, live=True, digest=digest, epoch=epoch, removed_at=None)
        index.stage(key, replace(entry, rows=written_rows(before | rows)).encode())
        staged += 1
        if staged % _AT_ONCE == 0:
            publisher.commit_checkpoint(checkpoint)


def _rows(key: bytes, held: Held, known: IndexEntry | None, publisher: Publisher) -> tuple[str | None, frozenset[str]]:
    """Return an entity's content type, and the locales of the rows that consumers hold in its own table.

    Only of a table that the stream knows: it deletes no row of another.
    """
    entity = codec.decode_key(key)
    layouts = publisher.catalog.layouts if publisher.catalog else {}
    tables = sorted(table for table, _ in held.rows if table in layouts)
    content_type = held.content_type or (known.content_type if known else None)
    if entity.entity_type == "entry" and tables:
        content_type = content_type or names.unescape(tables[0])
        tables = [names.escape(content_type)]
    return content_type, frozenset(locale for table, locale in held.rows if table in tables)


def _same(one: Checkpoint, other: Checkpoint) -> bool:
    return replace(one, committed_at=other.committed_at) == other
