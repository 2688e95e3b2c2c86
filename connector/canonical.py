"""The canonical form of JSON, digested: equal for equal content, however it is written. Pure."""

import json
import re
from hashlib import blake2b
from typing import Any, Final

_NUMBER: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
_MOST_DIGITS: Final = 4000  # Python converts no longer number


def digest(text: bytes | str | None) -> bytes:
    """Return 16 bytes that are equal for equal content, nothing for None.

    The order of members and the spelling of numbers and strings make no difference; the order of elements and every
    digit of a number do. Text that is no JSON is equal to itself only.
    """
    if text is None:
        return b""
    written = text.decode("utf-8", "surrogatepass") if isinstance(text, bytes) else text
    try:
        form = json.dumps(_DECODER.decode(written))
    except (ValueError, RecursionError):
        form = f"verbatim {written}"
    return blake2b(form.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _object(members: list[tuple[str, Any]]) -> dict[str, str]:
    """Return a digest in place of an object: what is nested in it costs no depth further up.

    Members of one name keep their order: which one counts differs between readers.
    """
    form = json.dumps(sorted(members, key=lambda member: member[0]))
    return {"object": blake2b(form.encode(), digest_size=16).hexdigest()}


def _number(text: str) -> dict[str, str]:
    """Return a number's digits and its power of ten: exact, whatever its size."""
    parts = _NUMBER.fullmatch(text)
    sign, whole, fraction, exponent = parts.groups(default="") if parts else ("", "", "", text)
    digits = (whole + fraction).lstrip("0")
    if parts is None or len(exponent) > _MOST_DIGITS:
        return {"number": text}
    kept = digits.rstrip("0")
    power = int(exponent or 0) - len(fraction) + len(digits) - len(kept)
    return {"number": f"{sign}{kept}e{power}" if kept else "0"}


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_number
)
