"""CPU: canned pages through vendor, envelope and codec into a store that discards them, against the cheapest loop."""

import hashlib
import io
import time
from typing import Any

import fastavro
import httpx
import msgspec
from canned import model, pages
from delivery import NAME, delivery
from figure import Figure
from pydantic import SecretStr

from connector.events import codec
from connector.model.core import CORE
from connector.vendors.contentful import Contentful, ContentfulSettings

ORIGIN = "https://cdn.contentful.com"


def ours(bodies: list[bytes], *, core: bool, tables: bool = False) -> float:
    """Return the seconds that our delivery path takes, with or without the compiled core and tables."""
    vendor = Contentful(NAME, ContentfulSettings(token=SecretStr("t"), space="bench"))
    deliver = delivery(vendor, core=core, model=model() if tables else None)
    responses = [httpx.Response(200, content=body) for body in bodies]
    begin = time.process_time()
    deliver(responses)
    return time.process_time() - begin


def floor(bodies: list[bytes]) -> float:
    """Return the seconds of a plain loop: parse, find refs, digest, headers, encode key, value and index record."""
    schemas = {
        name: fastavro.parse_schema(msgspec.json.decode(codec.text(name)))
        for name in ("key", "envelope", "index_entry")
    }
    begin = time.process_time()
    sequence = 0
    for body in bodies:
        for raw in msgspec.json.decode(body, type=_Page).items:
            sequence += 1
            _floor_item(raw, sequence, schemas)
    return time.process_time() - begin


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]


class _Item(msgspec.Struct):
    sys: dict[str, Any]
    fields: msgspec.Raw
    metadata: msgspec.Raw


_ITEM = msgspec.json.Decoder(_Item)


def _floor_item(raw: msgspec.Raw, sequence: int, schemas: dict[str, Any]) -> list[bytes]:
    item = _ITEM.decode(raw)
    sys = item.sys
    refs: list[str] = []
    ref_fields: list[str] = []
    for name, field in msgspec.json.decode(item.fields).items():
        _find(field, refs)
        ref_fields += [name] * (len(refs) - len(ref_fields))
    digest = hashlib.blake2b(raw, digest_size=16).digest()
    millis = int(time.time() * 1000)
    content_type = sys["contentType"]["sys"]["id"]
    event_id = hashlib.blake2b(digest + sys["id"].encode(), digest_size=16).hexdigest()
    key = {"connection": "bench", "entity_type": "entry", "id": sys["id"], "locale": "*"}
    value = {
        "before": None,
        "after": {
            "connection": "bench", "entity_type": "entry", "id": sys["id"], "locale": "*",
            "content_type": content_type, "revision": sys["revision"], "created_at": millis, "updated_at": millis,
            "fields": bytes(item.fields).decode(),
            "meta": (b'{"metadata":' + bytes(item.metadata) + b',"sys":' + msgspec.json.encode(sys) + b"}").decode(),
            "refs": refs, "ref_fields": ref_fields,
        },
        "source": {
            "version": "0", "connector": "contentful", "name": "bench", "ts_ms": millis, "snapshot": "true",
            "db": "bench", "schema": "master", "table": content_type, "sequence": sequence,
            "revision": sys["revision"], "locale": "*",
        },
        "op": "r", "ts_ms": millis, "transaction": None, "change_type": "published", "origin": "snapshot",
        "event_id": event_id, "marker": None,
    }  # fmt: skip
    index = {
        "version": 1, "live": True, "change_type": "published", "content_type": content_type,
        "revision": sys["revision"], "changed_at": millis * 1000, "digest": digest, "epoch": 1,
    }  # fmt: skip
    headers = [
        ("ce_specversion", b"1.0"), ("ce_id", event_id.encode()), ("ce_source", b"/contentful/bench"),
        ("ce_type", b"contentwire.published"), ("ce_subject", f"entry/{sys['id']}/*".encode()),
        ("ce_time", sys["updatedAt"].encode()), ("content-type", b"application/avro"),
    ]  # fmt: skip
    assert headers
    return [_write(schemas["key"], key), _write(schemas["envelope"], value), _write(schemas["index_entry"], index)]


def _write(schema: Any, value: dict[str, Any]) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, value)
    return body.getvalue()


def _find(value: Any, refs: list[str]) -> None:
    if isinstance(value, dict):
        sys = value.get("sys")
        if isinstance(sys, dict) and sys.get("linkType") in ("Entry", "Asset"):
            refs.append(f"{sys['linkType'].lower()}:{sys['id']}")
            return
        for inner in value.values():
            _find(inner, refs)
    elif isinstance(value, list):
        for inner in value:
            _find(inner, refs)


def measure(items: int, rounds: int) -> list[Figure]:
    """Return items a second, the best of runs that take turns."""
    bodies = pages(items, 1000, ORIGIN)
    ways = {"in Python": False} | ({"with the core": True} if CORE else {})
    runs = [_round(bodies, list(ways.values())) for _ in range(rounds)]
    cheapest, *best = (items / min(times) for times in zip(*runs, strict=True))
    figures = []
    for name, plain, tables in zip(ways, best[::2], best[1::2], strict=True):
        path = f"cpu: vendor, envelope, codec, {name}"
        figures += [
            Figure(path, round(plain), "items/s", round(cheapest), "cheapest loop"),
            Figure(f"{path}, and tables", round(tables), "items/s", round(plain), "without tables"),
        ]
    return figures


def _round(bodies: list[bytes], ways: list[bool]) -> list[float]:
    """Return the seconds of the floor, and of each way without and with tables."""
    return [floor(bodies), *(ours(bodies, core=core, tables=tables) for core in ways for tables in (False, True))]
