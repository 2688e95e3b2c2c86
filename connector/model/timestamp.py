"""Timestamps as CMSs write them: text in, microseconds since the epoch out. Pure."""

from datetime import UTC, datetime, timedelta

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Timestamp(msgspec.Struct, frozen=True, gc=False):
    """A time as a CMS gives it: its exact `text`, and `micros` since 1970 UTC, None if it is not a point in time."""

    text: str
    micros: int | None

    @property
    def millis(self) -> int | None:
        """Milliseconds since 1970 UTC."""
        return None if self.micros is None else self.micros // 1000


def read(text: str | None) -> Timestamp | None:
    """Return the time that a text gives, None without a text."""
    return None if text is None else Timestamp(text, micros(text))


def micros(text: str | None) -> int | None:
    """Return microseconds since 1970 UTC, or None if `text` is not an ISO 8601 point in time.

    A text without an offset is taken as UTC. What is not a time gives None, never an error: the exact text is kept
    elsewhere. `2017-11-23T00:00:000Z`, which a vendor's documentation shows, is read as midnight.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return None
