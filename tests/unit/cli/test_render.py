"""Decoded records for a person: the contents of a line."""

import re

from connector.cli.render import event_line, report, row_line
from connector.cli.terminal import plain
from connector.kafka.published import Entry
from connector.kafka.reader import Consumed
from connector.model.change import EntityKey
from connector.verify.comparison import Difference
from connector.verify.proof import Report

RECORD = Consumed("t", 0, 7, 1_750_000_000_000, b"", b"")
KEY = {"connection": "blog", "entity_type": "entry", "id": "e1", "locale": "*"}
ENTITY = {"entity_type": "entry", "id": "e1", "locale": "*", "content_type": "post", "revision": 0}
SOURCE = {"ts_ms": 1_000, "table": "post"}
VERDICT = {"op": "u", "ts_ms": 3_500, "origin": "delta", "change_type": "published"}


def test_an_event_is_one_readable_line() -> None:
    """Op, table, id, locale, revision (0 is valid) and freshness, in both envelopes."""
    debezium = {"before": None, "after": ENTITY, "source": SOURCE, **VERDICT}
    flat = {**ENTITY, **VERDICT, "source_table": "post", "source_ts_ms": 1_000}
    assert event_line(Entry(RECORD, KEY, debezium)).split() == ["u", "post", "e1", "*", "r0", "2.5", "s", "delta"]
    assert event_line(Entry(RECORD, KEY, flat)) == event_line(Entry(RECORD, KEY, debezium))


def test_a_delete_shows_what_is_gone_and_its_tombstone_follows() -> None:
    """A delete's line comes from `before`; a tombstone's from its key."""
    delete = {"before": {**ENTITY, "revision": None}, "after": None, "source": SOURCE, **VERDICT, "op": "d"}
    assert event_line(Entry(RECORD, KEY, delete)).split() == ["d", "post", "e1", "*", "2.5", "s", "delta"]
    assert event_line(Entry(RECORD, KEY, None)).split() == ["t", "(tombstone)", "e1", "*"]


def test_a_line_cannot_move_the_cursor_of_a_terminal() -> None:
    """Control characters of a CMS are shown, not obeyed."""
    line = event_line(Entry(RECORD, {**KEY, "id": "e\x1b[2J\n1"}, None))
    assert line.isprintable()
    assert plain("déjà vu") == "déjà vu"
    assert re.search(r"\\x1b", line)


def test_a_row_is_one_readable_line() -> None:
    """Op, table, id, locale, revision and the event's sequence; a deletion has what its key and topic say."""
    record = Consumed("cw.blog.table.blog_x2dpost", 0, 7, 1_750_000_000_000, b"", b"")
    row = {"title": "secret", "_entity_id": "e1", "_locale": "de-DE", "_revision": 0, "_sequence": 12, "_op": "u"}
    assert row_line(Entry(record, KEY, row)).split() == ["u", "blog_x2dpost", "e1", "de-DE", "r0", "#12"]
    assert row_line(Entry(record, KEY, {**row, "_revision": None})).split()[4:] == ["#12"]
    assert row_line(Entry(record, {**KEY, "locale": "de-DE"}, None)).split() == ["t", "blog_x2dpost", "e1", "de-DE"]


def test_a_proof_shows_rows_apart_from_keys() -> None:
    """Counts of both, what differs with its columns, a verdict on each, and one command."""
    row = Difference("stale", EntityKey("blog", "entry", "e1", "de-DE"), "post", 2, 1, columns=("title", "price__2"))
    shown = report("blog", Report({"post": 1}, (), equal_rows={"post": 2}, row_differences=(row,)), None)
    lines = [line.split() for line in shown.splitlines()]
    assert ["rows", "of", "equal", "missing", "stale", "extra"] in lines
    assert ["post", "2", "0", "1", "0"] in lines
    assert ["stale", "post", "e1", "de-DE", "2", "1", "title,", "price__2"] in lines
    assert "blog: equal, all 1 keys" in shown
    assert "blog: 2 rows are equal, 1 differ" in shown
    assert "contentwire snapshot blog --entity e1" in shown
    assert "rows" not in report("blog", Report({"post": 1}, ()), None)
