"""What the golden tests need from the Avro 1.12 specification, written from its text, and from Apache's implementation.

Nothing here uses the connector's own codec.
"""

import io
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import avro.io
import avro.schema

SCHEMAS = Path(__file__).parents[1] / "schemas"
NULL, SOME = b"\x00", b"\x02"  # the branches of a union of null and one type


def long(value: int) -> bytes:
    """Write a long: zig-zag, then seven bits a byte, the lowest first."""
    zigzag = value * 2 if value >= 0 else -value * 2 - 1
    written = bytearray()
    while zigzag > 127:
        written.append(zigzag % 128 + 128)
        zigzag //= 128
    written.append(zigzag)
    return bytes(written)


def string(text: str) -> bytes:
    """Write a string: a long with its number of UTF-8 bytes, then the bytes."""
    return long(len(text.encode())) + text.encode()


def some(text: str) -> bytes:
    """Write a string as the second branch of its union."""
    return SOME + string(text)


def crc_64_avro(canonical: bytes) -> int:
    """Return the CRC-64-AVRO of a schema's parsing canonical form, by the specification's algorithm."""
    empty = 0xC15D213AA4D7A795
    table = []
    for byte in range(256):
        register = byte
        for _ in range(8):
            register = (register >> 1) ^ (empty if register & 1 else 0)
        table.append(register)
    fingerprint = empty
    for byte in canonical:
        fingerprint = (fingerprint >> 8) ^ table[(fingerprint ^ byte) & 0xFF]
    return fingerprint


def canonical(name: str) -> bytes:
    """Return a schema's parsing canonical form, as the Apache implementation gives it.

    It does not apply the rule PRIMITIVES ("convert primitive schemas to their simple form") if a primitive had
    attributes; the specification and the Java implementation do not.
    """
    return re.sub(r'\{"type":("[a-z]+")\}', r"\1", apache(name).canonical_form).encode()


def names() -> list[str]:
    """Return the names of all schemas."""
    return sorted(path.stem for path in SCHEMAS.glob("*.avsc"))


def text(name: str) -> str:
    """Return a schema as written."""
    return (SCHEMAS / f"{name}.avsc").read_text(encoding="utf-8")


@cache
def apache(name: str) -> Any:
    """Return a schema as the Apache implementation reads it."""
    return avro.schema.parse(text(name))


def decode(body: bytes, schema: Any) -> Any:
    """Return what the Apache implementation reads from a bare body, which it must consume completely."""
    source = io.BytesIO(body)
    value = avro.io.DatumReader(schema).read(avro.io.BinaryDecoder(source))
    assert source.read() == b""
    return value


def plain(name: str) -> Any:
    """Return a schema without logical types, so that times are read as numbers."""
    return avro.schema.parse(json.dumps(_plain(json.loads(text(name)))))


def _plain(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {name: _plain(part) for name, part in schema.items() if name != "logicalType"}
    return [_plain(part) for part in schema] if isinstance(schema, list) else schema
