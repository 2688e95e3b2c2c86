"""Answers as Contentful words them, from its documentation and from recordings, and a vendor to read them."""

import json
from typing import Any

import httpx
from pydantic import SecretStr

from connector.model.checkpoint import Position
from connector.vendors.contentful import Contentful, ContentfulSettings

SYNC_URL = "https://cdn.contentful.com/spaces/cfexampleapi/environments/master/sync?sync_token="
START = Position()
RESUMED = Position(cursor="w5ZGw6JFwqZ", phase="streaming")
ENTRY = (
    b'{"metadata":{"tags":[],"concepts":[]},"sys":{"space":{"sys":{"type":"Link","linkType":"Space","id":"cfexampleapi"}},'
    b'"id":"nyancat","type":"Entry","createdAt":"2013-06-27T22:46:19.513Z","updatedAt":"2013-09-04T09:19:39.027Z",'
    b'"environment":{"sys":{"id":"master","type":"Link","linkType":"Environment"}},"publishedVersion":10,"revision":5,'
    b'"contentType":{"sys":{"type":"Link","linkType":"ContentType","id":"cat"}}},'
    b'"fields":{"name":{"en-US":"Nyan Cat","tlh":"Nyan vIghro\'"},"lives":{"en-US":null},"image":{},'
    b'"weight":{"en-US":1.10},"bestFriend":{"en-US":{"sys":{"type":"Link","linkType":"Entry","id":"happycat"}}}}}'
)
DELETED = (
    b'{"sys":{"type":"DeletedEntry","id":"4rPdazIwWkuuKEAQgemSmO","space":{"sys":{"type":"Link","linkType":"Space",'
    b'"id":"cfexampleapi"}},"revision":1,"createdAt":"2014-08-11T08:30:42.559Z","updatedAt":"2014-08-11T08:30:42.559Z",'
    b'"deletedAt":"2014-08-11T08:30:42.600Z"}}'
)


def contentful(**settings: Any) -> Contentful:
    """Return a vendor for the documentation's demo space."""
    return Contentful("blog", ContentfulSettings(token=SecretStr("b4c0n73n7fu1"), space="cfexampleapi", **settings))


def answer(*items: bytes, end: str = "nextSyncUrl", url: str = SYNC_URL + "t1", **headers: str) -> httpx.Response:
    """Return a sync page of `items` that ends in a URL."""
    body = b'{"sys":{"type":"Array"},"items":[' + b",".join(items) + b'],"' + end.encode() + b'":' + quoted(url) + b"}"
    return httpx.Response(200, content=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def quoted(text: str) -> bytes:
    """Return JSON text."""
    return json.dumps(text).encode()


def error(status: int, code: str, message: str = "", **headers: str) -> httpx.Response:
    """Return an error as the API words it."""
    body = {"sys": {"type": "Error", "id": code}, "message": message, "requestId": "r1"}
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})
