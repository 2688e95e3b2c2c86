"""What an operator chose to publish of a connection, and how. Pure."""

from typing import Literal

import msgspec

from connector.model.change import ALL_LOCALES, EntityKey


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator chose for a connection; `None` filters let everything through.

    `content_members`: the members of `meta` that are content to the connection's vendor.
    """

    entity_types: frozenset[str] | None = None
    content_types: frozenset[str] | None = None
    locales: frozenset[str] | None = None
    unseen_deletes: Literal["publish", "suppress"] = "publish"
    tombstones: bool = True
    envelope: Literal["debezium", "flat"] = "debezium"
    malformed: Literal["dead-letter", "stop"] = "dead-letter"
    oversized: Literal["dead-letter", "stop", "reference"] = "dead-letter"
    republish: Literal["changed", "all"] = "changed"
    content_members: tuple[str, ...] = ()
    max_message_bytes: int = 8 * 1024 * 1024
    commit_items: int = 10_000
    commit_bytes: int = 64 * 1024 * 1024


def wanted(policy: Policy, key: EntityKey, content_type: str | None) -> bool:
    """Apply the operator's filters. With a type filter a removal of a key never indexed is of an excluded type."""
    if policy.entity_types is not None and key.entity_type not in policy.entity_types:
        return False
    if policy.locales is not None and key.locale not in policy.locales and key.locale != ALL_LOCALES:
        return False
    if policy.content_types is None or key.entity_type == "asset":
        return True
    return (key.id if key.entity_type == "content_type" else content_type) in policy.content_types
