"""Changes and dead letters: what travels from a CMS to Kafka. Immutable. Pure."""

from typing import Literal

import msgspec

from connector.model.timestamp import Timestamp

EntityType = Literal["entry", "asset", "content_type", "locale"]

ChangeType = Literal["published", "unpublished", "deleted"]

Scope = Literal["key", "entity", "content_type"]

ALL_LOCALES = "*"


class EntityKey(msgspec.Struct, frozen=True, order=True):
    """What an event is keyed by: permanently the same for every event of one entity. No part is empty.

    `locale` is `*` if one item carries all locales, else the locale the entity was published to.
    """

    connection: str
    entity_type: str
    id: str
    locale: str

    def __post_init__(self) -> None:
        if not (self.connection and self.entity_type and self.id and self.locale):
            raise ValueError("an entity key has no empty part")


class Change(msgspec.Struct, frozen=True, gc=False):
    """One sync item, vendor-neutral. Byte members are the vendor's own JSON bytes, valid UTF-8, never re-encoded.

    - `raw`: the whole item as the vendor sent it. `digest`: 16 bytes (BLAKE2b) over it; equal bytes, equal digest.
    - `changed_at`: when this happened by the CMS's clock, None if the item does not say.
    - `fields`, `meta`: as in the message contract; both None on a removal. `marker`: the removal's raw item.
    - `refs`: `entry:<id>` or `asset:<id>` of what the entity points to, each once, in order of appearance.
      `ref_fields`: the member of `fields` that each of them stands in first.
    - `scope`: `key` concerns this key alone; `entity` removes every live locale of the key's id (the key's locale is
      `*` and stands for nothing live); `content_type` is the removal of a type, and of every live entity of it.
    """

    key: EntityKey
    change_type: ChangeType
    digest: bytes
    raw: bytes = b""
    content_type: str | None = None
    revision: int | None = None
    changed_at: Timestamp | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None
    fields: bytes | None = None
    meta: bytes | None = None
    marker: bytes | None = None
    refs: tuple[str, ...] = ()
    ref_fields: tuple[str, ...] = ()
    scope: Scope = "key"

    def without_content(self) -> "Change":
        """Return this without what it says of the entity as it is now."""
        return msgspec.structs.replace(self, fields=None, meta=None, refs=(), ref_fields=())

    @property
    def clock(self) -> int | None:
        """The CMS's clock of this change in microseconds, None if the item has no readable one."""
        return None if self.changed_at is None else self.changed_at.micros


class DeadLetter(msgspec.Struct, frozen=True):
    """One item that cannot be published: its raw bytes, why (never content), and its type and id if readable.

    `error` is the class name of the error that describes it (`MalformedItem`, `EventTooLarge`).
    """

    raw: bytes
    reason: str
    error: str = "MalformedItem"
    item_type: str | None = None
    item_id: str | None = None
