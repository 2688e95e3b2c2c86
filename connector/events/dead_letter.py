"""The record of an item that cannot be published: its key, and its value with the item's exact bytes. Pure."""

from connector.events import codec
from connector.events.envelope import Provenance
from connector.events.record import Letter
from connector.model.change import DeadLetter
from connector.model.checkpoint import Position


def encode(  # noqa: PLR0913, PLR0917  whose letter it is, and where the stream stood
    letter: DeadLetter, provenance: Provenance, position: Position, at: Position, sequence: int, now_ms: int
) -> Letter:
    """Return the key (item type and id, as far as known) and the bare value of a dead letter.

    `position` is where the stream stands, `at` where the letter's page leads to.
    """
    key = f"{letter.item_type or ''}/{letter.item_id or ''}".encode("utf-8", "replace")
    value = {
        "version": 1,
        "connection": provenance.name,
        "vendor": provenance.connector,
        "error": letter.error,
        "reason": letter.reason,
        "item_type": letter.item_type,
        "item_id": letter.item_id,
        "raw": letter.raw,
        "cursor": position.cursor,
        "page": position.page,
        "phase": at.phase,
        "epoch": at.epoch,
        "sequence": sequence,
        "ts_ms": now_ms,
    }
    return Letter(key, codec.encode("dead_letter", value))
