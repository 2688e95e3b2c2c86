"""Values to Avro bytes and back, by the schemas in `schemas/*.avsc`, the only place for schemas. Pure.

A framed record is a schema's prefix and the Avro body: the Confluent wire format if a registry gave the schema an
id, else Avro single-object encoding (Avro specification, "Single-object encoding").
"""

import io
import json
from collections.abc import Callable
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from fastavro import parse_schema, schemaless_reader
from fastavro.schema import fingerprint, to_parsing_canonical_form

from connector.model.change import EntityKey
from connector.model.checkpoint import KeySchemaId

Writer = Callable[[Any], bytes]
Name = Literal[
    "key", "envelope", "flat", "checkpoint", "index_entry", "owner_report", "dead_letter", "table_layout", "model_part"
]

_SINGLE_OBJECT = b"\xc3\x01"
_CONFLUENT = b"\x00"
_HERE = Path(__file__).parents[1]
# A wheel has the schemas inside the package, a checkout beside it.
_FOLDER = _HERE / "schemas" if (_HERE / "schemas").is_dir() else _HERE.parent / "schemas"


class Framing(msgspec.Struct, frozen=True):
    """How records of one schema begin: `prefix` before each Avro body."""

    schema_id: KeySchemaId
    prefix: bytes


@cache
def text(name: Name) -> str:
    """Return the schema as Avro for Java prints it, the form a registry is given.

    In registries whose ids follow the bytes, only this text has the id that a JVM serializer gets for the schema.
    """
    schema = json.loads((_FOLDER / f"{name}.avsc").read_bytes())
    return json.dumps(schema, separators=(",", ":"), ensure_ascii=False)


def same(name: Name, schema: str) -> bool:
    """Return whether a schema's text is ours, however it is written."""
    return alike(text(name), schema)


def alike(ours: str, schema: str) -> bool:
    """Return whether two texts are the same schema, however the second is written."""
    try:
        return bool(to_parsing_canonical_form(json.loads(schema)) == to_parsing_canonical_form(json.loads(ours)))
    except Exception:  # noqa: BLE001  whatever the library raises for what is not a schema: it is not ours
        return False


@cache
def _parsed(schema: str) -> Any:
    return parse_schema(_without_logical_types(json.loads(schema)))


@cache
def _writer(name: Name) -> Writer:
    """Return a function that writes values of a schema, generated as source, as `dataclasses` generates methods.

    It is three times as fast as fastavro's writer, against which it is tested.
    """
    source = _Source()
    source.write(json.loads(text(name)), "value", " ")
    body = "\n".join(source.lines)
    made: dict[str, Any] = {"long": long, "short": _SHORT}
    exec(f"def write(value):\n parts = []; add = parts.append\n{body}\n return b''.join(parts)", made)  # noqa: S102  our own schemas alone
    writer: Writer = made["write"]
    return writer


class _Source:
    """The lines of a function that appends the parts of a value's Avro body.

    In our schemas every union is null and one other type, and no schema contains itself.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._named: dict[str, Any] = {}
        self._names = (f"v{number}" for number in count())

    def write(self, schema: Any, value: str, indent: str) -> None:
        """Add the lines that write the expression `value`."""
        kind = "union" if isinstance(schema, list) else schema["type"] if isinstance(schema, dict) else schema
        if kind in self._named:
            self.write(self._named[kind], value, indent)
            return
        name = next(self._names)
        self.lines.append(f"{indent}{name} = {value}")
        if kind == "record":
            self._named[schema["name"]] = schema
            for field in schema["fields"]:
                self.write(field["type"], f"{name}[{field['name']!r}]", indent)
        elif kind == "union":
            self.lines += [f"{indent}if {name} is None: add(b'\\0')", f"{indent}else:", f"{indent} add(b'\\2')"]
            self.write(schema[1], name, indent + " ")
        elif kind in ("array", "map"):
            self._write_block(schema, name, indent)
        else:
            self.lines += [indent + line.format(name) for line in _PRIMITIVES[kind]]

    def _write_block(self, schema: dict[str, Any], name: str, indent: str) -> None:
        """Write an array or map as one block and the empty block that ends it."""
        member = next(self._names)
        self.lines += [f"{indent}if {name}:", f"{indent} add(long(len({name})))", f"{indent} for {member} in {name}:"]
        if schema["type"] == "map":
            self.write("string", member, indent + "  ")
            self.write(schema["values"], f"{name}[{member}]", indent + "  ")
        else:
            self.write(schema["items"], member, indent + "  ")
        self.lines.append(f"{indent}add(b'\\0')")


def long(value: int) -> bytes:
    """Return the Avro body of a long: zigzag, then seven bits a byte, the lowest first."""
    # Two bytes at a time, by tables.
    number = value << 1 if value >= 0 else ~(value << 1)
    body = b""
    while number >> _TWO_BYTES:
        body += _LEADING[number & (1 << _TWO_BYTES) - 1]
        number >>= _TWO_BYTES
    return body + _LAST[number]


_TWO_BYTES: Final = 14  # bits that two bytes carry
_LEADING: Final = [bytes([number & 0x7F | 0x80, number >> 7 | 0x80]) for number in range(1 << _TWO_BYTES)]
_LAST: Final = [
    bytes([number]) if number < 1 << 7 else bytes([number & 0x7F | 0x80, number >> 7])
    for number in range(1 << _TWO_BYTES)
]
_SHORT: Final = _LAST[::2]  # the lengths of short texts
_BOOLEANS: Final = {"boolean": (b"\0", b"\1")}
# The lines that write a value of each type; the braces stand for its name.
_PRIMITIVES: Final = {
    "string": (
        "part = {0} if {0}.__class__ is bytes else {0}.encode(); size = len(part)",
        f"add(short[size] if size < {len(_SHORT)} else long(size)); add(part)",
    ),
    "bytes": ("add(long(len({0}))); add({0})",),
    "fixed": ("add({})",),
    "long": ("add(long({}))",),
    "boolean": ("add(b'\\1' if {} else b'\\0')",),
}


def string(text: bytes) -> bytes:
    """Return the Avro body of a string, given as UTF-8."""
    size = len(text)
    return (_SHORT[size] if size < len(_SHORT) else long(size)) + text


def primitive(kind: str, value: Any) -> bytes:
    """Return the Avro body of a string, a long or a boolean; raises KeyError for any other type."""
    if kind == "string":
        return string(value.encode())
    return long(value) if kind == "long" else _BOOLEANS[kind][value]


@cache
def _walker(name: Name) -> Callable[[bytes], int]:
    """Return a function that finds where a schema's body ends, generated like `_writer`; for flat records only."""
    lines = [line for field in json.loads(text(name))["fields"] for line in _walk(field["type"], " ")]
    made: dict[str, Any] = {"length": _length}
    exec("\n".join(["def walk(body):", " i = 0", *lines, " return i"]), made)  # noqa: S102  our own schemas alone
    walker: Callable[[bytes], int] = made["walk"]
    return walker


def _walk(schema: Any, indent: str) -> list[str]:
    if isinstance(schema, list):
        inner = _walk(schema[1], indent + " ")
        return [f"{indent}kind = body[i]; i += 1", f"{indent}if kind == 2:", *inner, f"{indent}elif kind: return -1"]
    fixed = isinstance(schema, dict) and schema["type"] == "fixed"
    steps = [f"i += {schema['size']}"] if fixed else _STEPS[schema]
    return [indent + step for step in steps]


def _length(body: bytes, at: int) -> tuple[int, int]:
    """Return the length at a place, and where what it measures begins."""
    number = shift = 0
    while body[at] & 0x80:
        number |= (body[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    number |= body[at] << shift
    if number & 1:
        raise ValueError("a negative length")
    return number >> 1, at + 1


# The lines that skip a value of each type, from `i` on.
_STEPS: Final = {
    "long": ("while body[i] & 128: i += 1", "i += 1"),
    "boolean": ("if body[i] > 1: return -1", "i += 1"),
    "string": (
        "if body[i] & 129: size, i = length(body, i)",
        "else: size = body[i] >> 1; i += 1",
        "body[i:i + size].decode(); i += size",
    ),
    "bytes": ("size, i = length(body, i)", "i += size"),
}


def _without_logical_types(schema: Any) -> Any:
    """Keep timestamps as integers both ways: a calendar type would refuse years that CMSs deliver."""
    if isinstance(schema, dict):
        return {name: _without_logical_types(part) for name, part in schema.items() if name != "logicalType"}
    return [_without_logical_types(part) for part in schema] if isinstance(schema, list) else schema


def confluent(schema_id: int) -> Framing:
    """Return the framing of a schema that a registry knows as `schema_id`."""
    return Framing(KeySchemaId("confluent", str(schema_id)), _CONFLUENT + schema_id.to_bytes(4, "big"))


@cache
def single_object(name: Name) -> Framing:
    """Return the framing without a registry: the schema's CRC-64-AVRO fingerprint, little endian."""
    print_hex = fingerprint(to_parsing_canonical_form(json.loads(text(name))), "CRC-64-AVRO")
    return Framing(KeySchemaId("single-object", print_hex), _SINGLE_OBJECT + bytes.fromhex(print_hex))


def encode(name: Name, value: dict[str, Any]) -> bytes:
    """Return the bare Avro body of `value`; raises KeyError or UnicodeEncodeError on a value that does not fit.

    A text MAY be given as bytes known to be valid UTF-8, which are written as they are.
    """
    return _writer(name)(value)


def decode(name: Name, body: bytes) -> dict[str, Any]:
    """Return the value of a bare Avro body; timestamps stay integers. Raises ValueError on bytes of another schema."""
    return decode_by(text(name), body)


def decode_by(schema: str, body: bytes) -> dict[str, Any]:
    """Return the value of a bare Avro body that was written by `schema`, as `decode` does: for records of any age.

    Raises ValueError if the schema, which anybody may have registered, or the bytes are something else.
    """
    try:
        value: Any = schemaless_reader(io.BytesIO(body), _parsed(schema), None)
        return dict(value)
    except Exception as error:  # the library has many errors for what is something else
        raise ValueError("not a record of its schema") from error


def decode_as(name: Name, schema: str, body: bytes) -> dict[str, Any]:
    """Return a value of any release's schema, whatever `schema` wrote it, in the shape of ours.

    Members that we do not know are left out, and missing ones get our defaults. Raises ValueError if the schema, which
    anybody may have registered, or the bytes are something else.
    """
    try:
        value: Any = schemaless_reader(io.BytesIO(body), _parsed(schema), _parsed(text(name)))
        return dict(value)
    except Exception as error:  # as above, and for schemas that are something else
        raise ValueError(f"not a record of the schema contentwire.{_parsed(text(name))['name']}") from error


def fits(name: Literal["key", "index_entry"], body: bytes) -> int:
    """Return how many bytes of `body` a record takes, -1 if it is not one: quicker than decoding it.

    For a body that ends before its record does, the result exceeds its length.
    """
    try:
        return _walker(name)(body)
    except (IndexError, ValueError):
        return -1


def encode_key(key: EntityKey) -> bytes:
    """Return the bare Avro body of a key: the index's own key."""
    return encode("key", msgspec.structs.asdict(key))


def decode_key(body: bytes) -> EntityKey:
    """Return the key of a bare Avro body."""
    return EntityKey(**decode("key", body))


def unframe(data: bytes) -> tuple[KeySchemaId, bytes]:
    """Return a framed record's schema id and its Avro body; raises ValueError for any other prefix."""
    if data[:2] == _SINGLE_OBJECT and len(data) >= len(_SINGLE_OBJECT) + 8:
        return KeySchemaId("single-object", data[2:10].hex()), data[10:]
    if data[:1] == _CONFLUENT and len(data) >= len(_CONFLUENT) + 4:
        return KeySchemaId("confluent", str(int.from_bytes(data[1:5], "big"))), data[5:]
    raise ValueError("not framed as contentwire frames records")
