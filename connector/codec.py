"""Values to Avro bytes and back, by the schemas in `schemas/*.avsc`, the only place of schemas. Pure.

A framed record is a schema's prefix and the Avro body: the Confluent wire format where a registry gave the schema an
id, else Avro single-object encoding (Avro specification, "Single-object encoding").
"""

import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from fastavro import parse_schema, schemaless_reader
from fastavro.schema import fingerprint, to_parsing_canonical_form

from connector.model import EntityKey, KeySchemaId

Writer = Callable[[Any], bytes]
Name = Literal["key", "envelope", "flat", "checkpoint", "index_entry", "dead_letter"]

_SEVEN_BITS: Final = 0x7F
_MORE: Final = 0x80
_SINGLE_OBJECT = b"\xc3\x01"
_CONFLUENT = b"\x00"
_HERE = Path(__file__).parent
# A wheel carries the schemas inside the package, a checkout beside it.
_FOLDER = _HERE / "schemas" if (_HERE / "schemas").is_dir() else _HERE.parent / "schemas"


class Framing(msgspec.Struct, frozen=True):
    """How records of one schema begin: `prefix` before each Avro body."""

    schema_id: KeySchemaId
    prefix: bytes


@cache
def text(name: Name) -> str:
    """Return the schema as written, the form a registry is given."""
    return (_FOLDER / f"{name}.avsc").read_text(encoding="utf-8")


@cache
def _parsed(schema: str) -> Any:
    return parse_schema(_without_logical_types(json.loads(schema)))


@cache
def _writer(name: Name) -> Writer:
    return _compile(json.loads(text(name)), {})


def _compile(schema: Any, named: dict[str, Writer]) -> Writer:
    """Return a function that writes values of `schema`: three times as fast as fastavro's, which tests compare it with.

    Unions are a null and one type, as everywhere in our schemas.
    """
    if isinstance(schema, list):
        some = _compile(schema[1], named)
        return lambda value: b"\x00" if value is None else b"\x02" + some(value)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        return _compile_record(schema, named)
    if kind == "fixed":
        return bytes
    if kind == "array":
        return _blocks(_compile(schema["items"], named))
    if kind == "map":
        entry = _compile(schema["values"], named)
        pair: Writer = lambda item: _string(item[0]) + entry(item[1])  # noqa: E731  as short as its siblings
        blocks = _blocks(pair)
        return lambda value: blocks(list(value.items()))
    return _PRIMITIVES.get(kind) or named[kind]


def _compile_record(schema: dict[str, Any], named: dict[str, Writer]) -> Writer:
    fields: list[tuple[str, Writer]] = []

    def write(value: dict[str, Any]) -> bytes:
        return b"".join([writer(value[name]) for name, writer in fields])

    # Known under its name before its fields are compiled: they may refer to it.
    named[schema["name"]] = named[f"{schema.get('namespace', 'contentwire')}.{schema['name']}"] = write
    fields += [(field["name"], _compile(field["type"], named)) for field in schema["fields"]]
    return write


def _blocks(item: Writer) -> Writer:
    """Arrays and maps are one block and the empty block that ends them."""
    return lambda values: _long(len(values)) + b"".join(map(item, values)) + b"\x00" if values else b"\x00"


def _long(value: int) -> bytes:
    """Zigzag, then seven bits a byte, the lowest first."""
    number = value << 1 if value >= 0 else ~(value << 1)
    body = bytearray()
    while number > _SEVEN_BITS:
        body.append(number & _SEVEN_BITS | _MORE)
        number >>= 7
    body.append(number)
    return bytes(body)


_LENGTHS: Final = [_long(length) for length in range(4096)]


def _string(value: str) -> bytes:
    body = value.encode()
    length = len(body)
    return (_LENGTHS[length] if length < len(_LENGTHS) else _long(length)) + body


_PRIMITIVES: Final[dict[str, Writer]] = {
    "string": _string,
    "long": _long,
    "boolean": lambda value: b"\x01" if value else b"\x00",
    "bytes": lambda value: _long(len(value)) + value,
}


def _without_logical_types(schema: Any) -> Any:
    """Timestamps stay integers both ways: a calendar type would refuse years that CMSs deliver."""
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
    """Return the bare Avro body of `value`; raises KeyError or UnicodeEncodeError on a value that does not fit."""
    return _writer(name)(value)


def decode(name: Name, body: bytes) -> dict[str, Any]:
    """Return the value of a bare Avro body; timestamps stay integers. Raises ValueError on bytes of another schema."""
    return decode_by(text(name), body)


def decode_by(schema: str, body: bytes) -> dict[str, Any]:
    """Return the value of a bare Avro body that was written by `schema`, as `decode` does: for records of any age."""
    parsed = _parsed(schema)
    try:
        value: Any = schemaless_reader(io.BytesIO(body), parsed, None)
    except (EOFError, IndexError, UnicodeDecodeError, OverflowError) as error:
        raise ValueError(f"not a record of the schema {parsed['name']}") from error
    return dict(value)


def encode_key(key: EntityKey) -> bytes:
    """Return the bare Avro body of a key: what the index is keyed by."""
    return encode("key", msgspec.structs.asdict(key))


def decode_key(body: bytes) -> EntityKey:
    """Return the key of a bare Avro body."""
    return EntityKey(**decode("key", body))


def unframe(data: bytes) -> tuple[KeySchemaId, bytes]:
    """Return a framed record's schema id and its Avro body; raises ValueError on any other beginning."""
    if data[:2] == _SINGLE_OBJECT and len(data) >= len(_SINGLE_OBJECT) + 8:
        return KeySchemaId("single-object", data[2:10].hex()), data[10:]
    if data[:1] == _CONFLUENT and len(data) >= len(_CONFLUENT) + 4:
        return KeySchemaId("confluent", str(int.from_bytes(data[1:5], "big"))), data[5:]
    raise ValueError("not framed as contentwire frames records")
