"""Changes and pages to publish, with sensible defaults: what a test does not name is irrelevant to it."""

import hashlib
import json
from typing import Any

import httpx
import msgspec

from connector.cms.vendor import Vendor
from connector.events.state_record import flat, read_json
from connector.model import timestamp
from connector.model.change import Change, DeadLetter, EntityKey, Scope
from connector.model.checkpoint import Checkpoint, Position
from connector.model.page import SyncPage

CONNECTION = "blog"


def clock(second: int) -> str:
    """Return a CMS clock, `second` seconds into some minute."""
    return f"2024-06-10T08:{second // 60:02}:{second % 60:02}.000Z"


def clock_ms(second: int) -> int:
    """Return what `clock` says in milliseconds since 1970, counted by hand: 19,884 days later."""
    return ((19_884 * 24 + 8) * 3600 + second) * 1000


def entry_key(entry: str = "e1", locale: str = "*") -> EntityKey:
    """Return an entry's key."""
    return EntityKey(CONNECTION, "entry", entry, locale)


def published(entry: str = "e1", second: int | None = 1, *, locale: str = "*", **members: Any) -> Change:
    """Return a published entry; any two that differ have different raw items and digests."""
    moment = None if second is None else clock(second)
    raw = _item("published", entry, locale, moment, members)
    change = Change(
        key=entry_key(entry, locale),
        change_type="published",
        digest=digest(raw),
        raw=raw,
        content_type="post",
        revision=second,
        changed_at=timestamp.read(moment),
        fields=b'{"title":"t"}',
        meta=b"{}",
    )
    return msgspec.structs.replace(change, **_read(members))


def removed(entry: str = "e1", second: int | None = 1, *, locale: str = "*", **members: Any) -> Change:
    """Return the removal of an entry; like Contentful's, it does not give the content type."""
    moment = None if second is None else clock(second)
    raw = _item("removed", entry, locale, moment, members)
    change = Change(
        key=entry_key(entry, locale),
        change_type="deleted",
        digest=digest(raw),
        raw=raw,
        changed_at=timestamp.read(moment),
        marker=raw,
    )
    return msgspec.structs.replace(change, **_read(members))


def _item(what: str, entry: str, locale: str, moment: str | None, members: dict[str, Any]) -> bytes:
    """Return a raw item that shows every member of a change."""
    told = {name: str(each) for name, each in members.items()}
    return json.dumps({"item": what, "id": entry, "locale": locale, "at": moment, **told}).encode()


def _read(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a change, with each time parsed as a vendor does."""
    return {name: timestamp.read(each) if name.endswith("_at") else each for name, each in members.items()}


def removed_everywhere(entry: str = "e1", second: int = 1) -> Change:
    """Return a removal that names no locale: it applies to every live one."""
    scope: Scope = "entity"
    return removed(entry, second, scope=scope)


def removed_type(content_type: str = "post", second: int = 1) -> Change:
    """Return the removal of a content type, and of every live entry of it."""
    scope: Scope = "content_type"
    return removed(content_type, second, key=EntityKey(CONNECTION, "content_type", content_type, "*"), scope=scope)


def digest(raw: bytes) -> bytes:
    """Return the digest of a raw item."""
    return hashlib.blake2b(raw, digest_size=16).digest()


def page_of(vendor: Vendor, response: httpx.Response, after: Position) -> SyncPage:
    """Return the page in a response: its frame, read."""
    return vendor.read(vendor.frame(response, after))


def page(*items: Change | DeadLetter, after: Position, cursor: str = "next", caught_up: bool = True) -> SyncPage:
    """Return the page of `items` that follows `after`."""
    return SyncPage(
        changes=tuple(item for item in items if isinstance(item, Change)),
        dead_letters=tuple(item for item in items if isinstance(item, DeadLetter)),
        position=after.advance(cursor=cursor, caught_up=caught_up),
        caught_up=caught_up,
    )


def checkpoint(**members: Any) -> Checkpoint:
    """Return a checkpoint from the members of its record."""
    return read_json(msgspec.json.encode({"stream": CONNECTION, **members}))


def amended(before: Checkpoint, **members: Any) -> Checkpoint:
    """Return a checkpoint with some members of its record changed."""
    return read_json(msgspec.json.encode({**flat(before), **members}))
