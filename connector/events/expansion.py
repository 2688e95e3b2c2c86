"""Turns one item that stands for several keys into changes of single keys. Pure."""

from collections.abc import Iterator

import msgspec

from connector.events import codec, envelope
from connector.events.envelope import Origin
from connector.events.index import Index
from connector.model.change import ALL_LOCALES, Change, ChangeType
from connector.model.checkpoint import Phase


def expand(change: Change, index: Index, phase: Phase) -> Iterator[tuple[Change, Origin, str]]:
    """Yield the changes of single keys that one item stands for, with their origin and cause.

    The removed type's own event comes last: once it is in the index, the expansion is complete.
    """
    own: Origin = "snapshot" if phase == "snapshot" else "reconciled" if phase == "reconciling" else "delta"
    if change.scope == "key":
        yield from _without_locale(change, index)
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
    if change.scope == "content_type" or not (targets or index.knows(change.key)):
        yield msgspec.structs.replace(change, scope="key"), own, ""


def _without_locale(change: Change, index: Index) -> Iterator[tuple[Change, Origin, str]]:
    """Yield the removal of what was delivered without a locale before: an item that names one replaces it."""
    if change.key.locale == ALL_LOCALES:
        return
    key = msgspec.structs.replace(change.key, locale=ALL_LOCALES)
    known = index.get(codec.encode_key(key))
    if known and known.live:
        change_type: ChangeType = "deleted" if change.change_type == "published" else change.change_type
        removal = msgspec.structs.replace(change.without_content(), key=key, change_type=change_type)
        yield removal, "expanded", envelope.event_id(change)
