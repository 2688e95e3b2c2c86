"""Exact slices of JSON: objects and arrays are cut into the exact bytes they hold, never re-encoded. Pure.

Fast if msgspec accepts the text. JSON that it refuses (a lone surrogate), or refuses because of one of many elements (a
depth bomb), takes a slower path over the same bytes with the same result.
Everything here raises only `ValueError`, with offsets and never content in its text, and takes linear time.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from connector.model.core import CORE

MAX_DEPTH = 500
"""Deeper nesting than this is refused, for every caller and on every interpreter."""

T = TypeVar("T")

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_ANY = msgspec.json.Decoder()

_WS = rb"[ \t\n\r]*+"
_TEXT = rb'"(?:[^"\\]++|\\.)*+"'
_SPACE = re.compile(_WS)
_NAME = re.compile(_WS + rb"(" + _TEXT + rb")" + _WS + rb":" + _WS, re.DOTALL)
_LEAD = re.compile(_WS + rb"[{,]" + _WS + _TEXT + _WS + rb":" + _WS, re.DOTALL)
_CLOSE = re.compile(_WS + rb"\}" + _WS)
_SCALAR = re.compile(rb'[^ \t\n\r,:"\[\]{}]++')
# The closing quote is optional, so that an unterminated string is one token and not a search from each of its quotes.
_TOKEN = re.compile(rb'[\[{]|[\]}]|"(?:[^"\\]++|\\.)*+("?)', re.DOTALL)
_MAX_DIGITS = 4000


def members(raw: bytes) -> dict[str, bytes]:
    """Return the members of an object in their order, each value as the bytes it is written in.

    Raises unless the whole of `raw` is valid UTF-8 and valid JSON (lone surrogates included). Also raises for a name
    that occurs twice: to keep either one would lose the other.
    """
    if not raw.isascii():
        raw.decode()
    _limit_depth(raw)
    try:
        return _tiled(raw)
    except (ValueError, RecursionError):
        _lenient(raw)
        return _split(raw)


def split(raw: bytes) -> dict[str, bytes]:
    """Return what `members` does, without looking into the values: they may hold anything that balances brackets."""
    try:
        return _tiled(raw)
    except (ValueError, RecursionError):
        return _split(raw)


def elements(raw: bytes) -> list[bytes]:
    """Return the elements of an array as the bytes they are written in, without looking into them.

    An element that is not JSON, holds invalid UTF-8 or is nested too deeply costs no other element.
    """
    try:
        return [bytes(element) for element in _ELEMENTS.decode(raw)]
    except (ValueError, RecursionError):
        return _cut(raw)


def page(raw: bytes, name: str) -> tuple[dict[str, bytes], list[bytes] | None]:
    """Return what `split` does, without the member `name`, and the `elements` of that, None where it is missing."""
    if CORE is not None and (found := CORE.cut(raw, name)) is not None:
        parts, cut = found
        return parts, cut
    parts = split(raw)
    listed = parts.pop(name, None)
    return parts, None if listed is None else elements(listed)


def value(raw: bytes) -> Any:
    """Return the decoded value, to look at: of duplicate names the last one counts, huge numbers become infinite."""
    _limit_depth(raw)
    try:
        return _ANY.decode(raw)
    except (ValueError, RecursionError):
        return _lenient(raw)


def record(raw: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    """Return an object as `decoder` types it. With fields of type Any, it takes every JSON object that `value` does."""
    try:
        return decoder.decode(raw)
    except (ValueError, RecursionError):
        return msgspec.convert(value(raw), decoder.type)


def join(parts: Mapping[str, bytes]) -> bytes:
    """Return an object of `parts` in their order, each value verbatim."""
    return b"{" + b",".join([_quoted(name) + b":" + part for name, part in parts.items()]) + b"}"


def objects(raw: bytes, name: str, member: str) -> list[tuple[str, dict[str, Any]]]:
    """Return each object that is the value of a member `name` and has a member `member`, in order of appearance.

    With each comes the name of the member of `raw` that it stands in, empty where `raw` is an array. `raw` is valid
    JSON; `name` and `member` are ASCII letters.
    """
    quoted, mark = f'{name}"'.encode(), f'{member}"'.encode()
    hits = raw.count(mark)
    # Without escapes a name has one spelling, and an unescaped quote before and after it bounds a whole text.
    plain = b"\\" not in raw or (b"\\u00" not in raw and b'\\"' + quoted not in raw)
    if plain and not hits:
        return []
    # Most such objects hold no other and no brace: a search finds them, and counting tells whether it found them all.
    try:
        found = [item for item in map(_ANY.decode, _flat_under(quoted).findall(raw)) if member in item] if plain else []
        if plain and len(found) == hits:
            parts = _MEMBERS.decode(raw).items()
            outers = [outer for outer, part in parts for _ in range(bytes(part).count(mark))]
            return list(zip(outers, found, strict=True))
    except (ValueError, RecursionError):
        pass
    root = value(raw)
    members = root.items() if isinstance(root, dict) else [("", root)]
    under = [(outer, node.get(name)) for outer, inner in members for node in walk({outer: inner})]
    return [(outer, item) for outer, item in under if isinstance(item, dict) and member in item]


def walk(root: Any) -> Iterator[dict[str, Any]]:
    """Yield each object of a decoded value, outer ones first, siblings in order, however deep."""
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            node = node.values()
        elif not isinstance(node, list):
            continue
        for child in reversed(node):
            kind = type(child)
            if kind is dict or kind is list:
                pending.append(child)


@functools.cache
def _flat_under(quoted: bytes) -> re.Pattern[bytes]:
    return re.compile(b'"' + quoted + _WS + b":" + _WS + rb"(\{[^{}]*+\})")


@functools.lru_cache(maxsize=1024)
def _quoted(name: str) -> bytes:
    try:
        return msgspec.json.encode(name)
    except UnicodeEncodeError:
        return json.dumps(name).encode()


def _tiled(raw: bytes) -> dict[str, bytes]:
    found = {name: bytes(part) for name, part in _MEMBERS.decode(raw).items()}
    # The decoder keeps the last of two members with one name: only values that tile the whole object are complete.
    at = 0
    for part in found.values():
        lead = _LEAD.match(raw, at)
        if lead is None or not raw.startswith(part, lead.end()):
            raise ValueError("a name occurs twice")
        at = lead.end() + len(part)
    if found and not _CLOSE.fullmatch(raw, at):
        raise ValueError("a name occurs twice")
    return found


def _split(raw: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    at, last = _enter(raw, b"{"), b"{"
    while last != b"}":
        name = _NAME.match(raw, at)
        if name is None:
            if not found and raw[at : at + 1] == b"}":
                at, last = at + 1, b"}"
                continue
            raise ValueError(f"no member at byte {at}")
        end = _end(raw, name.end())
        key = _lenient(name[1])
        if key in found:
            raise ValueError(f"a name occurs twice, at byte {at}")
        found[key] = raw[name.end() : end]
        at, last = _after(raw, end, b"}")
    _nothing_after(raw, at)
    return found


def _cut(raw: bytes) -> list[bytes]:
    found: list[bytes] = []
    at, last = _enter(raw, b"["), b"["
    if raw[at : at + 1] == b"]":
        at, last = at + 1, b"]"
    while last != b"]":
        end = _end(raw, at)
        found.append(raw[at:end])
        at, last = _after(raw, end, b"]")
    _nothing_after(raw, at)
    return found


def _enter(raw: bytes, bracket: bytes) -> int:
    at = _skip_space(raw, 0)
    if raw[at : at + 1] != bracket:
        raise ValueError(f"no {'object' if bracket == b'{' else 'array'} at byte {at}")
    return _skip_space(raw, at + 1)


def _after(raw: bytes, end: int, closing: bytes) -> tuple[int, bytes]:
    at = _skip_space(raw, end)
    mark = raw[at : at + 1]
    if mark not in (b",", closing):
        raise ValueError(f"neither a comma nor an end at byte {at}")
    return _skip_space(raw, at + 1), mark


def _nothing_after(raw: bytes, at: int) -> None:
    if _skip_space(raw, at) != len(raw):
        raise ValueError(f"more text after the end at byte {at}")


def _skip_space(raw: bytes, at: int) -> int:
    space = _SPACE.match(raw, at)
    return space.end() if space else at


def _end(raw: bytes, at: int) -> int:
    """Return where the value that starts at `at` ends, by its brackets and quotes alone."""
    if raw[at : at + 1] not in (b"{", b"[", b'"'):
        scalar = _SCALAR.match(raw, at)
        if scalar is None:
            raise ValueError(f"no value at byte {at}")
        return scalar.end()
    for depth, end in _levels(raw, at):
        if depth <= 0:
            return end
    raise ValueError(f"the value at byte {at} does not end")


def _levels(raw: bytes, at: int = 0) -> Iterator[tuple[int, int]]:
    depth = 0
    for token in _TOKEN.finditer(raw, at):
        mark = raw[token.start()]
        if mark in b"[{":
            depth += 1
        elif mark in b"]}":
            depth -= 1
        elif not token[1]:
            raise ValueError(f"the text at byte {token.start()} does not end")
        yield depth, token.end()


def _limit_depth(raw: bytes) -> None:
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and max(depth for depth, _ in _levels(raw)) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")


def _lenient(raw: bytes) -> Any:
    try:
        return _DECODER.decode(raw.decode())
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON at character {error.pos}") from None
    except RecursionError:
        raise ValueError("nested too deeply for the call stack") from None


def _integer(digits: str) -> int | float:
    # Python refuses to convert longer ones, and converting them costs more than linear time.
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


def _refuse_constant(_: str) -> Any:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_refuse_constant)
