"""Values to Avro bytes and back, by the schemas in `schemas/*.avsc`: no schema is written anywhere else. Pure.

A framed record is a schema's prefix and the Avro body: the Confluent wire format where a registry gave the schema an id,
else Avro single-object encoding (Avro specification, "Single-object encoding").
"""

import io
import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

from connector.model import EntityKey, KeySchemaId

Name = Literal["key", "envelope", "flat", "checkpoint", "index_entry", "dead_letter"]

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
def _parsed(name: Name) -> Any:
    return parse_schema(_without_logical_types(json.loads(text(name))))


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
    """Return the bare Avro body of `value`."""
    body = io.BytesIO()
    schemaless_writer(body, _parsed(name), value)
    return body.getvalue()


def decode(name: Name, body: bytes) -> dict[str, Any]:
    """Return the value of a bare Avro body; timestamps stay integers. Raises ValueError on bytes of another schema."""
    try:
        value: Any = schemaless_reader(io.BytesIO(body), _parsed(name), None)
    except (EOFError, IndexError, UnicodeDecodeError, OverflowError) as error:
        raise ValueError(f"not a record of the schema {name}") from error
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
