"""Timestamps as CMSs write them: text in, microseconds since the epoch out. Pure."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(text: str | None) -> int | None:
    """Return microseconds since 1970 UTC, or None where `text` is no ISO 8601 point in time.

    A text without an offset is taken as UTC. What is no time gives None, never an error: the exact text is kept
    elsewhere. `2017-11-23T00:00:000Z`, which a vendor's documentation shows, is read as midnight.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return None
