"""A digest of an entity's content: equal for equal content, whatever its revision and clock say. Pure."""

from collections.abc import Sequence
from hashlib import blake2b

from connector.events import canonical_json
from connector.model import rawjson


def digest(fields: bytes | str | None, meta: bytes | str | None, members: Sequence[str]) -> bytes:
    """Return 16 bytes over an entity's `fields` and those `members` of its `meta` that are content to its vendor."""
    found = canonical_json.digest(fields)
    if not members or not meta:
        return found
    try:
        parts = rawjson.members(meta if isinstance(meta, bytes) else meta.encode("utf-8", "surrogatepass"))
    except ValueError:
        return found
    held = [canonical_json.digest(parts[name]) for name in members if name in parts]
    return blake2b(b"".join([found, *held]), digest_size=16).digest() if held else found
