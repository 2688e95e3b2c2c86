"""What an operator chose to publish from a connection, and how. Pure."""

from typing import Literal

import msgspec


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator chose for a connection; `None` filters let everything through.

    `content_members`: the members of `meta` that the connection's vendor counts as content.
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

    @property
    def filters(self) -> bool:
        """Whether anything is filtered out."""
        return not (self.entity_types is self.content_types is self.locales is None)
