"""The canonical form of JSON, digested: equal for equal content, however it is written. Pure."""

import json
import re
from hashlib import blake2b
from typing import Any, Final

import msgspec

_NUMBER: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
_MAX_DIGITS: Final = 4000  # Python does not convert longer numbers
_SHORT: Final = 17
_ALL_ZEROS: Final = bytes.maketrans(b"0123456789", b"0" * 10)
_LONG: Final = b"0" * (_SHORT + 1)


def digest(text: bytes | str | None) -> bytes:
    """Return 16 bytes that are equal for equal content, or no bytes for None.

    The order of members and the spelling of numbers and strings make no difference; the order of elements, duplicate
    members and every digit of a number do. Text that is not JSON equals only itself.
    """
    if text is None:
        return b""
    found = _quick(text)
    return _thorough(text) if found is None else found


def _quick(text: bytes | str) -> bytes | None:
    """Return the digest of plain content, None for content that only the thorough reading gets exactly right.

    Which it is depends on the content alone, never on how it is written: equal texts go the same way.
    """
    try:
        form = _SORTED.encode(_PLAIN.decode(text))
        written = text if isinstance(text, bytes) else text.encode()
    except (ValueError, RecursionError):
        return None
    # By now a duplicate member is lost, and a long number may still be spelt in more than one way.
    if _LONG in form.translate(_ALL_ZEROS) or _strings(written) != _strings(form):
        return None
    return blake2b(form, digest_size=16, person=b"plain").digest()


def _strings(written: bytes) -> int:
    """Return how many quotes begin or end strings."""
    if b"\\" in written:
        written = written.replace(b"\\\\", b"")
        return written.count(b'"') - written.count(b'\\"')
    return written.count(b'"')


def _fraction(text: str) -> int | msgspec.Raw:
    """Return a number in its one spelling; raises `ValueError` for one that needs the thorough reading."""
    kept = _number(text)["number"].partition("e")
    digits, power = kept[0], int(kept[2] or 0)
    if digits == "0":
        return 0
    if power >= 0 and len(digits.lstrip("-")) + power <= _SHORT:
        return int(digits + "0" * power)
    if power > 0 or not kept[1]:
        raise ValueError
    return msgspec.Raw(f"{digits}e{power}".encode())


def _thorough(text: bytes | str) -> bytes:
    written = text.decode("utf-8", "surrogatepass") if isinstance(text, bytes) else text
    try:
        form = json.dumps(_DECODER.decode(written))
    except (ValueError, RecursionError):
        form = f"verbatim {written}"
    return blake2b(form.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _object(members: list[tuple[str, Any]]) -> dict[str, str]:
    """Return a digest in place of an object: its nesting adds no depth further up.

    Members with the same name keep their order: readers differ in which one counts.
    """
    form = json.dumps(sorted(members, key=lambda member: member[0]))
    return {"object": blake2b(form.encode(), digest_size=16).hexdigest()}


def _number(text: str) -> dict[str, str]:
    """Return a number's digits and its power of ten: exact, whatever its size."""
    parts = _NUMBER.fullmatch(text)
    sign, whole, fraction, exponent = parts.groups(default="") if parts else ("", "", "", text)
    digits = (whole + fraction).lstrip("0")
    if parts is None or len(exponent) > _MAX_DIGITS:
        return {"number": text}
    kept = digits.rstrip("0")
    power = int(exponent or 0) - len(fraction) + len(digits) - len(kept)
    return {"number": f"{sign}{kept}e{power}" if kept else "0"}


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_number
)
_PLAIN: Final = msgspec.json.Decoder(float_hook=_fraction)
_SORTED: Final = msgspec.json.Encoder(order="sorted")
