"""What commands return, as the command line shows it: tables and remarks for a person, JSON lines for a script."""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from connector.cli.terminal import moment, plain, table
from connector.commands.dead_letters import Replayed, Stays
from connector.commands.foreign_records import Found
from connector.kafka.foreign_records import listing, remedy
from connector.kafka.published import Entry, table_of
from connector.verify.comparison import Difference
from connector.verify.proof import COUNTS, Report

_LETTER: Final = ("when", "error", "item type", "item id", "reason")
_STAYS: Final = ("when", "item type", "item id", "why it stays")
_FOUND: Final = ("topic", "partition", "offset", "why it is not contentwire's", "outcome")
_DIFFERENCE: Final = ("kind", "table", "type", "id", "locale", "revision in the CMS", "in the topic")

_ROW_DIFFERENCE: Final = ("kind", "rows of", "id", "locale", "revision in the CMS", "in the row", "columns")

_WIDTHS: Final = (2, 16, 24, 6, 5, 8, 0)  # of op, table, id, locale, revision, freshness, origin


def record_json(entry: Entry) -> str:
    """Return the whole record as one line of JSON."""
    record = entry.record
    place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    facts = {**place, "timestamp_ms": record.timestamp_ms, "key": entry.key, "value": entry.value}
    return json.dumps(facts, default=_readable)


def event_line(entry: Entry) -> str:
    """Return an event or a tombstone as one line: op, table, id, locale, revision, freshness."""
    value = entry.value
    if value is None:
        return _line("t", "(tombstone)", entry.key["id"], entry.key["locale"])
    source = value.get("source") or {"ts_ms": value["source_ts_ms"], "table": value["source_table"]}
    entity = (value.get("after") or value.get("before") or value) if "source" in value else value
    fresh = "" if value["origin"] != "delta" else f"{(value['ts_ms'] - source['ts_ms']) / 1000:.1f} s"
    revision = "" if entity["revision"] is None else f"r{entity['revision']}"
    cells = (value["op"], source["table"], entity["id"], entity["locale"], revision, fresh, value["origin"])
    return _line(*cells)


def row_line(entry: Entry) -> str:
    """Return a row of a table, or its deletion, as one line: op, table, id, locale, revision, sequence."""
    row, table = entry.value, table_of(entry)
    if row is None:
        return _line("t", table, entry.key["id"], entry.key["locale"])
    revision = "" if row["_revision"] is None else f"r{row['_revision']}"
    return _line(row["_op"], table, row["_entity_id"], row["_locale"], revision, f"#{row['_sequence']}")


def letters(found: Iterable[Entry]) -> str:
    """Return dead letters."""
    return table(_LETTER, map(_letter, found))


def replayed(connection: str, outcome: Replayed, limit: int | None) -> str:
    """Return the outcome for dead letters that were read again, with at most `limit` of those that stay."""
    counts = f"{outcome.letters} letters read again, {outcome.published} events published"
    remark = f"{counts}, {len(outcome.stays)} letters stay; what was already published or superseded was left out"
    return f"{table(_STAYS, map(_stays, outcome.stays[:limit]))}\n{connection}: {remark}"


def foreign_records(connection: str, found: Sequence[Found]) -> str:
    """Return records that contentwire did not write, their outcome, and what to do next."""
    return f"{table(_FOUND, map(_found, found))}\n{_remark(connection, found)}"


def report(connection: str, proof: Report, limit: int | None) -> str:
    """Return a proof, with at most `limit` differences: tables, the verdict, what to do next."""
    parts = [table(COUNTS, proof.counts())]
    if counts := proof.row_counts():
        parts.append(table(("rows of", *COUNTS[1:]), counts))
    if proof.differences:
        parts.append(table(_DIFFERENCE, map(_difference, proof.differences[:limit])))
    if proof.row_differences:
        parts.append(table(_ROW_DIFFERENCE, map(_row_difference, proof.row_differences[:limit])))
    return "\n\n".join([*parts, "\n".join(_remarks(connection, proof))])


def _letter(entry: Entry) -> tuple[object, ...]:
    value = entry.value or {}
    names = ("error", "item_type", "item_id", "reason")
    return (moment(value.get("ts_ms")), *(value.get(name) for name in names))


def _stays(stays: Stays) -> tuple[object, ...]:
    letter = stays.letter
    return (moment(letter["ts_ms"]), letter["item_type"], letter["item_id"], stays.why)


def _found(found: Found) -> tuple[object, ...]:
    record = found.record
    became = ("removed" if found.removed else "", found.remark)
    return (record.topic, record.partition, record.offset, record.why, "; ".join(filter(None, became)))


def _remark(connection: str, found: Collection[Found]) -> str:
    gone = sum(each.removed for each in found)
    if not found:
        return f"{connection}: its topics hold nothing that contentwire did not write"
    if gone:
        return f"{connection}: {gone} of {len(found)} removed; check the rest with contentwire verify {connection}"
    removable = any(not each.remark for each in found)
    return f"{connection}: {len(found)} in total" + ("; --remove takes them out" if removable else "")


def _difference(found: Difference) -> tuple[object, ...]:
    key = found.key
    return (found.kind, found.table, key.entity_type, key.id, key.locale, found.cms_revision, found.topic_revision)


def _row_difference(found: Difference) -> tuple[object, ...]:
    key = found.key
    return (
        found.kind,
        found.table,
        key.id,
        key.locale,
        found.cms_revision,
        found.topic_revision,
        ", ".join(found.columns),
    )


def _remarks(connection: str, proof: Report) -> list[str]:
    equal, found = sum(proof.equal.values()), len(proof.differences)
    verdict = f"{connection}: {equal} keys are equal, {found} differ"
    remarks = [verdict if found else f"{connection}: equal, all {equal} keys"]
    if proof.row_counts():
        equal, rows = sum(proof.equal_rows.values()), len(proof.row_differences)
        remarks.append(
            f"{connection}: {equal} rows are equal, {rows} differ" if rows else f"{connection}: equal, all {equal} rows"
        )
        found += rows
    if aside := proof.unreadable + proof.set_aside:
        remarks.append(f"{aside} items are dead letters instead: contentwire dead-letters {connection}")
    if proof.foreign:
        remarks.append(f"{len(proof.foreign)} records are not contentwire's: {listing(proof.foreign)}")
        remarks.append(f"  -> {remedy(connection)}")
    if found:
        remarks.append(f"  -> if the stream is running and current: {' '.join(proof.command(connection))}")
    return remarks


def _readable(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _line(*cells: str) -> str:
    return " ".join(f"{plain(cell):<{width}}" for cell, width in zip(cells, _WIDTHS, strict=False)).rstrip()
