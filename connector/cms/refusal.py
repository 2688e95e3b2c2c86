"""What an answer other than 200 means, whichever vendor gives it: by its status and its likely cause. Pure.

How long a 401, 403 or 404 is doubted before it is believed is decided in `stream/remedies.py`, by `Pace.doubt`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

import httpx

from connector.cms.retry_after import wait
from connector.errors import ConnectorError, SourceRejected, SourceUnavailable
from connector.model import rawjson

_DOUBTED: Final = {401, 403, 404}
_ERROR_BYTES: Final = 64 * 1024
_STRUCTURED: Final = ("errors", "details")
_SENTENCES: Final = ("message", "error_message", "reason", "suggestion")
_NAMES: Final = frozenset({"name", "path", "field", "param", "parameter", "property"})
_SERVER: Final = "nothing to do at first: it is tried again; if it persists, see the vendor's status page"
_HINTS: Final = {
    408: _SERVER,
    409: _SERVER,
    425: _SERVER,
    429: "nothing to do: it is tried again when the limit allows; if this is frequent, raise poll_interval",
    500: _SERVER,
    502: _SERVER,
    503: "nothing to do at first: the API, or its gateway, is out of capacity; if it persists, see its status page",
    504: _SERVER,
}
_UNUSUAL: Final = "an unusual answer, perhaps from a proxy or gateway in between: it is tried again; check base_url"
_REDIRECT: Final = "correct base_url or region; a redirect can also be the login page of a proxy in between"
_HTML: Final = "the body is a web page, not the API's: a firewall, proxy or gateway in between may have answered"


def meaning(response: httpx.Response, message: str, hints: Mapping[int, str]) -> ConnectorError:
    """Return the error that a status other than 200 stands for; `message` says who answered what.

    `hints` are the vendor's own, by status: what is likely wrong with credentials and scope. What only
    a body tells (a bad cursor, a page too large, a refused parameter) is for the vendor to find out.
    """
    status = response.status_code
    page = looks_like_html(response)
    if status in _DOUBTED or HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        hint = hints.get(status, _REDIRECT if status < HTTPStatus.BAD_REQUEST else "")
        redirect = ", a redirect; it was not followed" if status < HTTPStatus.BAD_REQUEST else ""
        return SourceRejected(message + redirect, hint=f"{_HTML}; {hint}" if page else hint)
    if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY) and not page:
        return SourceRejected(message, hint=hints.get(status, ""))
    hint = _HINTS.get(status, _SERVER if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _UNUSUAL)
    return SourceUnavailable(message, hint=f"{_HTML}; {hint}" if page else hint, retry_after=wait(response.headers))


def named(response: httpx.Response, parameters: Iterable[str]) -> str | None:
    """Return which of these parameters an error body complains about, None if it names none.

    Structured parts come first: the members of `errors` and `details`, whatever their shape, then what a sentence says.
    """
    try:
        body = rawjson.value(response.content) if len(response.content) <= _ERROR_BYTES else None
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    marks = {mark for part in _STRUCTURED for node in rawjson.walk({"": body.get(part)}) for mark in _marks(node)}
    said = " ".join(text for part in _SENTENCES if isinstance(text := body.get(part), str))
    # The longest first: one name may be the end of another.
    names = sorted(parameters, key=len, reverse=True)
    return next((name for name in names if _marked(name, marks)), None) or next(
        (name for name in names if _spoken_of(name, said)), None
    )


def _marks(node: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an object may name a parameter by: its members' names, and the values of those that hold names."""
    yield from node
    for member in _NAMES.intersection(node):
        values = node[member] if isinstance(node[member], list) else [node[member]]
        yield from (part for value in values if isinstance(value, str) for part in re.split(r"[./]", value))


def _marked(name: str, marks: Iterable[str]) -> bool:
    plain = _letters(name)
    # A single common word does not count within another; `content_type` within `unknownContentType` does.
    compound = plain != name
    return any(plain in _letters(mark) if compound else plain == _letters(mark) for mark in marks)


def _spoken_of(name: str, said: str) -> bool:
    word = re.sub("[-_]", "[-_ ]?", name)
    if "_" in name or "-" in name:
        return re.search(rf"\b{word}\b", said, re.IGNORECASE) is not None
    # A common word must be used as a parameter.
    pattern = rf"(?<!content[-_ ])\b{word}\b(?:=| parameter| is\b| must\b)|parameter:? {word}\b|[\"'`]{word}[\"'`]"
    return re.search(pattern, said, re.IGNORECASE) is not None


def _letters(text: str) -> str:
    return re.sub("[^a-z]", "", text.lower())


def looks_like_html(response: httpx.Response) -> bool:
    """Return whether the body is for a browser: no vendor's API answers like that."""
    kind = response.headers.get("content-type", "").lower()
    return "html" in kind or response.content[:100].lstrip().lower().startswith((b"<!doctype", b"<html"))
