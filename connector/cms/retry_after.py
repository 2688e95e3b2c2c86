"""How long an answer asks to wait: `Retry-After` and the like, in every form that HTTP allows. Pure.

Which headers a vendor sends, its own file knows; what is waited in the end is `Retries.pause` in `stream/retries.py`.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

_MAX_WAIT: Final = 86_400.0


def wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After` asks to wait: given as such, or as a date relative to `Date`."""
    retry_after = headers.get("retry-after", "")
    if (found := seconds(retry_after)) is not None:
        return min(found, _MAX_WAIT)
    then, now = moment(retry_after), moment(headers.get("date", ""))
    return None if then is None or now is None else min(max(then - now, 1.0), _MAX_WAIT)


def until(headers: Mapping[str, str], reset: str) -> float:
    """Return the seconds until the time in the header `reset`, in seconds since 1970, by the answer's own `Date`."""
    then, now = seconds(headers.get(reset)), moment(headers.get("date", ""))
    return max(1.0, then - now) if then is not None and now is not None else 1.0


def seconds(text: str | None) -> float | None:
    """Return a header's number of seconds, or None if it has none."""
    try:
        found = float(text or "nan")
    except ValueError:
        return None
    return found if 0 <= found < float("inf") else None


def moment(text: str) -> float | None:
    """Return an HTTP date in seconds since 1970, or None if it is not one."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None
