"""A small site, rendered from the read model in SQLite. Each response names what it depends on in the header `xkey`.

Run: python -m examples.cache_invalidation.site --database model.db --listen 127.0.0.1:8000

    GET /entry/<id>    an entry, with what it links to, and with what that links to
    GET /<type>        the entries of a content type
"""

import argparse
import html
import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final, NamedTuple
from urllib.parse import unquote

DEPTH: Final = 2
"""How far a page shows links of links."""


class Page(NamedTuple):
    """A response, with the tags of what it depends on."""

    status: int
    text: str
    tags: set[str]


def main(arguments: Sequence[str]) -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True, help="what examples.read_model.consumer writes")
    parser.add_argument("--listen", default="127.0.0.1:8000")
    given = parser.parse_args(arguments)
    host, _, port = given.listen.rpartition(":")
    handler = type("Handler", (_Handler,), {"database": given.database})
    with ThreadingHTTPServer((host, int(port)), handler) as server:
        server.serve_forever()


def page(database: sqlite3.Connection, path: str) -> Page:
    """Return the page at a path; a page that does not exist has tags too, as it may exist later."""
    first, _, entity = unquote(path).strip("/").partition("/")
    if first == "entry" and entity:
        tags: set[str] = set()
        lines = list(_shown(database, f"entry:{entity}", DEPTH, tags))
        return Page(200 if lines else 404, _document(lines or ["Not found"]), tags)
    rows = database.execute("select id, fields from entity where content_type = ? order by id", (first,)).fetchall()
    listed = [f'<li><a href="/entry/{html.escape(each)}">{_name(fields)}</a>' for each, fields in rows]
    # Every change of one of its entries purges the tag of their type.
    return Page(200, _document(listed), {first})


def _shown(database: sqlite3.Connection, target: str, depth: int, tags: set[str]) -> Iterator[str]:
    """Yield a line for an entity and for what it links to.

    The tag is noted before the look-up: a page that could not show its author depends on the author all the same.
    """
    tags.add(target)
    entity_type, _, entity = target.partition(":")
    query = "select fields, refs from entity where entity_type = ? and id = ? order by locale"
    found = database.execute(query, (entity_type, entity)).fetchone()
    if found is None:
        return
    yield f"<li>{html.escape(target)}: {_name(found[0])}"
    if depth:
        for each in json.loads(found[1]):
            yield from _shown(database, each, depth - 1, tags)


def _name(fields: str | None) -> str:
    """Return the first text in an entity's fields, whatever the vendor's form."""

    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        for each in value.values() if isinstance(value, dict) else ():
            yield from texts(each)

    return html.escape(next(texts(json.loads(fields or "{}")), "untitled"))


def _document(lines: Sequence[str]) -> str:
    return "<!doctype html><meta charset=utf-8><ul>\n" + "\n".join(lines) + "\n</ul>\n"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    database: ClassVar[str]

    def do_GET(self) -> None:
        with closing(sqlite3.connect(self.database)) as database:
            # One transaction: all of a page is of the same moment.
            database.execute("begin")
            status, text, tags = page(database, self.path)
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("xkey", " ".join(sorted(tags)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    main(sys.argv[1:])
