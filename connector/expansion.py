"""One item that stands for several keys becomes the changes of single keys. Pure."""

from collections.abc import Iterator

import msgspec

from connector import codec, envelope
from connector.envelope import Origin
from connector.index import Index
from connector.model import Change, Phase


def expand(change: Change, index: Index, phase: Phase) -> Iterator[tuple[Change, Origin, str]]:
    """Yield the changes of single keys that one item stands for, with their origin and cause.

    A removed type's own event comes last: once it is in the index, its expansion is complete.
    """
    own: Origin = "snapshot" if phase == "snapshot" else "reconciled" if phase == "reconciling" else "delta"
    if change.scope == "key":
        yield change, own, ""
        return
    cause = envelope.event_id(change)
    if change.scope == "content_type":
        targets = [
            key
            for body, entry in index.entries()
            if entry.live and entry.content_type == change.key.id
            and (key := codec.decode_key(body)).entity_type == "entry"
        ]  # fmt: skip
    else:
        targets = index.live_locales(change.key)
    for key in targets:
        yield msgspec.structs.replace(change, key=key, scope="key"), "expanded", cause
    if change.scope == "content_type" or not (targets or index.holds(change.key, change.digest)):
        yield msgspec.structs.replace(change, scope="key"), own, ""
