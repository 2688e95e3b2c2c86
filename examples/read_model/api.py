"""Serves the tables in PostgreSQL over HTTP, as JSON: an entry by id and locale, or the rows of a type.

Run: python -m examples.read_model.api --database postgresql:///cms --schema blog --listen 127.0.0.1:8000

    GET /blogPost/<id>?locale=de-DE
    GET /blogPost?locale=de-DE&limit=20&after=<id>
"""

import argparse
import json
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Final, LiteralString, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg
from psycopg.sql import SQL, Identifier

_ONE: Final = "select row_to_json(found)::text from {} as found where _entity_id = %(id)s and _locale = %(locale)s"
_LIST: Final = """select coalesce(json_agg(found), '[]')::text from (
    select * from {} where _locale = %(locale)s and _entity_id > %(after)s order by _entity_id limit %(limit)s
) as found"""
_PARAMETERS: Final = {"locale": "en-US", "limit": "20", "after": ""}
_MOST: Final = 100


class Answer(NamedTuple):
    """A status code and a body of JSON."""

    status: int
    body: str


def main(arguments: Sequence[str]) -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True, help="a connection string, such as postgresql:///cms")
    parser.add_argument("--schema", required=True, help="the connection's name")
    parser.add_argument("--listen", default="127.0.0.1:8000")
    given = parser.parse_args(arguments)
    host, _, port = given.listen.rpartition(":")
    handler = type("Handler", (_Handler,), {"database": given.database, "schema": given.schema})
    with ThreadingHTTPServer((host, int(port)), handler) as server:
        server.serve_forever()


def answer(database: psycopg.Connection, schema: str, url: str) -> Answer:
    """Return the answer to a GET request."""
    parts = urlsplit(url)
    given = {**_PARAMETERS, **dict(parse_qsl(parts.query))}
    if unknown := given.keys() - _PARAMETERS.keys():
        return _refused(400, f"unknown parameter {min(unknown)}: use {', '.join(_PARAMETERS)}")
    if not given["limit"].isdecimal() or int(given["limit"]) > _MOST:
        return _refused(400, f"limit is a number up to {_MOST}")
    table, _, entity = unquote(parts.path).strip("/").partition("/")
    if not table or "\0" in unquote(url):
        return _refused(404, "say which content type: /blogPost or /blogPost/<id>")
    query: LiteralString = _ONE if entity else _LIST
    try:
        found = database.execute(SQL(query).format(Identifier(schema, table)), {**given, "id": entity}).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        return _refused(404, f"there is no content type {table}")
    if found is None:
        return _refused(404, f"{table} {entity} is not published in {given['locale']}")
    return Answer(200, found[0])


def _refused(status: int, reason: str) -> Answer:
    return Answer(status, json.dumps({"error": reason}))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    database: ClassVar[str]
    schema: ClassVar[str]

    def do_GET(self) -> None:
        # A connection for each request is simple, and a few milliseconds; a pool is the next step.
        with psycopg.connect(self.database, autocommit=True) as database:
            status, text = answer(database, self.schema, self.path)
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    main(sys.argv[1:])
