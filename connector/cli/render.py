"""Published records as the command line shows them: a line or a row for a person, JSON for a script."""

import json
from typing import Final

from connector.console import moment, plain
from connector.kafka.published import Entry

LETTER_HEADERS: Final = ("when", "error", "item type", "item id", "reason")

_WIDTHS: Final = (2, 16, 24, 6, 5, 8, 0)  # of op, table, id, locale, revision, freshness, origin


def record_json(entry: Entry) -> str:
    """Return the whole record as one line of JSON."""
    record = entry.record
    place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    told = {**place, "timestamp_ms": record.timestamp_ms, "key": entry.key, "value": entry.value}
    return json.dumps(told, default=_readable)


def event_line(entry: Entry) -> str:
    """Return an event or a tombstone as one line: op, table, id, locale, revision, freshness."""
    value = entry.value
    if value is None:
        return _line("t", "(tombstone)", entry.key["id"], entry.key["locale"])
    source = value.get("source") or {**value, "ts_ms": value["source_ts_ms"]}
    entity = (value.get("after") or value.get("before") or value) if "source" in value else value
    fresh = "" if value["origin"] != "delta" else f"{(value['ts_ms'] - source['ts_ms']) / 1000:.1f} s"
    revision = "" if entity["revision"] is None else f"r{entity['revision']}"
    cells = (value["op"], source["table"], entity["id"], entity["locale"], revision, fresh, value["origin"])
    return _line(*cells)


def letter_row(entry: Entry) -> tuple[object, ...]:
    """Return a dead letter as `LETTER_HEADERS` names it."""
    value = entry.value or {}
    return tuple(
        moment(value.get(name)) if name == "ts_ms" else value.get(name)
        for name in ("ts_ms", "error", "item_type", "item_id", "reason")
    )


def _readable(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _line(*cells: str) -> str:
    return " ".join(f"{plain(cell):<{width}}" for cell, width in zip(cells, _WIDTHS, strict=False)).rstrip()
