"""Answers as Contentstack words them, from its documentation and from recordings, and a vendor to read them."""

import json
from functools import partial
from typing import Any

import httpx
from pydantic import SecretStr

from connector.model.change import Change
from connector.model.checkpoint import Position
from connector.vendors.contentstack import Contentstack, ContentstackSettings
from tests.unit.vendors import reading
from tests.values import page_of

START = Position()
RESUMED = Position(cursor="blt1223344556677", phase="streaming")
PAGING = Position(cursor="pagination_token:blt122334455667", page=1)
ENTRY = (
    b'{"type":"entry_published","event_at":"2020-12-05T15:43:05.355Z","content_type_uid":"speaker",'
    b'"data":{"uid":"blt1","locale":"en-us","_version":0,"title":"Ada","type":"user field","price":1.10,'
    b'"profile_image":"uid_89","talks":[{"uid":"blt7","_content_type_uid":"talk"}],"tags":[],'
    b'"created_at":"2020-04-10T09:07:57.441Z","updated_at":"2020-12-05T15:43:04.000Z","publish_details":'
    b'{"environment":"e1","locale":"en-gb","time":"2020-12-05T15:43:05.211Z","user":"u"}}}'
)


def contentstack(**settings: Any) -> Contentstack:
    """Return a vendor for a stack."""
    given: dict[str, Any] = {"token": SecretStr("cs5b69"), "api_key": SecretStr("blt02f7"), "environment": "production"}
    return Contentstack("shop", ContentstackSettings(**(given | settings)))


def answer(*items: bytes, **tokens: str) -> httpx.Response:
    """Return a sync page of `items`, with a sync token unless `tokens` says otherwise."""
    end = json.dumps(tokens or {"sync_token": "s1"})[1:-1].encode()
    return httpx.Response(200, content=b'{"items":[' + b",".join(items) + b'],"skip":0,"limit":100,' + end + b"}")


def item(kind: str, data: dict[str, Any] | None, **more: Any) -> bytes:
    """Return a sync item."""
    members = {"type": kind, "event_at": "2017-11-23T00:00:000Z", "content_type_uid": "Blog", "data": data} | more
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode()


def error(status: int, code: int | None, fields: dict[str, Any], **headers: str) -> httpx.Response:
    """Return an error as the API words it."""
    body = {"error_message": "secret words", "error_code": code, "errors": fields}
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def read(raw: bytes, **settings: Any) -> Change:
    """Return the change that a single item becomes."""
    return reading.only(page_of(contentstack(**settings), answer(raw), RESUMED))


raised = partial(reading.raised, contentstack())
