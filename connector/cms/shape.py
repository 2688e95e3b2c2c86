"""Where the items of a vendor say what, for the compiled reader. Pure."""

from typing import Literal

import msgspec

from connector.model.change import EntityType

Path = tuple[str, ...]
"""The names of members, from the item inwards."""


class Kind(msgspec.Struct, frozen=True):
    """A type of item that carries a published state: what it is of, and whether it has a content type and links."""

    entity_type: EntityType
    typed: bool = True
    linked: bool = True


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What the compiled reader has to know of a vendor's items. It MUST describe what the vendor's own `read` does.

    Items that do not fit are read by the vendor: unknown types, removals, whatever is not plain.

    - `kind`: the item's type. `published`: the types that carry what is published.
    - `locale`: empty where one item carries all locales.
    - `fields`: the member that holds the fields; `fields_needed`: whether an item without it is malformed.
    - `links`: the member of an object `sys` that names what a link points to (`link_type` is that object's `type`), by
      the words of `targets`; or "uid": objects with a `uid` beside the uid of their content type (`link_type` is that
      of assets) or a file name.
    """

    kind: Path
    published: dict[str, Kind]
    id: Path
    locale: Path = ()
    content_type: Path
    revision: Path
    changed_at: Path
    created_at: Path
    updated_at: Path
    fields: str
    fields_needed: bool = False
    links: Literal["linkType", "targetType", "uid"]
    link_type: str
    targets: dict[str, EntityType] = {}
