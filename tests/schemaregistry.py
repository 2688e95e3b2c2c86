"""A scripted schema registry: it can be wiped, refuse, or answer nonsense, over real sockets."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx

from connector.kafka.registry import Registry
from tests import jsonserver
from tests.jsonserver import Answer, Asked


class ScriptedRegistry:
    """Confluent's API for subjects and ids. `answers` come first, one per request: (status, body bytes, headers)."""

    def __init__(self) -> None:
        self.schemas: dict[int, str] = {}
        self.subjects: dict[str, list[int]] = {}
        self.requests: list[tuple[str, str]] = []
        self.answers: list[tuple[int, bytes, dict[str, str]]] = []
        self.refusal: tuple[int, dict[str, Any]] | None = None
        self.url = ""
        self._next = 1

    def wipe(self) -> tuple[dict[int, str], dict[str, list[int]]]:
        """Forget everything; return it, for `restore`."""
        kept = self.schemas, self.subjects
        self.schemas, self.subjects = {}, {}
        return kept

    def restore(self, kept: tuple[dict[int, str], dict[str, list[int]]]) -> None:
        """Restore what was wiped."""
        self.schemas, self.subjects = kept

    def registered(self) -> list[str]:
        """Return the subjects under which schemas were registered since the last call."""
        found = [
            path.split("/")[2] for method, path in self.requests if method == "POST" and path.endswith("/versions")
        ]
        self.requests.clear()
        return found

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Return a status and a JSON value."""
        parts = path.strip("/").split("/")
        match method, parts:
            case "GET", ["schemas", "ids", number]:
                found = self.schemas.get(int(number))
                return (
                    (200, {"schema": found}) if found else (404, {"error_code": 40403, "message": "Schema not found"})
                )
            case "GET", ["subjects"]:
                return 200, sorted(self.subjects)
            case "POST", ["subjects", subject]:
                return self._find(subject, body["schema"])
            case "POST", ["subjects", subject, "versions"]:
                return self.refusal or (200, {"id": self._register(subject, body["schema"])})
            case "POST", ["compatibility", "subjects", subject, *_]:
                missing = (404, {"error_code": 40401, "message": "Subject not found"})
                return (200, {"is_compatible": True}) if subject in self.subjects else missing
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def _find(self, subject: str, schema: str) -> tuple[int, Any]:
        if subject not in self.subjects:
            return 404, {"error_code": 40401, "message": f"Subject '{subject}' not found."}
        for number in self.subjects[subject]:
            if json.loads(self.schemas[number]) == json.loads(schema):
                return 200, {"subject": subject, "version": 1, "id": number, "schema": schema}
        return 404, {"error_code": 40403, "message": "Schema not found"}

    def _register(self, subject: str, schema: str) -> int:
        known = [number for number, text in self.schemas.items() if json.loads(text) == json.loads(schema)]
        number = known[0] if known else self._next
        self._next = max(self._next, number + 1)
        self.schemas[number] = schema
        self.subjects.setdefault(subject, []).append(number)
        return number

    def client(self, **options: Any) -> Registry:
        """Return a client that asks without a network."""
        return Registry("http://registry.example", transport=httpx.MockTransport(self._handled), **options)

    def _handled(self, request: httpx.Request) -> httpx.Response:
        asked = Asked(request.method, request.url.raw_path.decode(), request.headers, request.content)
        status, headers, content = self._asked(asked)
        return httpx.Response(status, headers=dict(headers), stream=httpx.ByteStream(content))

    @contextmanager
    def serving(self) -> Iterator[Self]:
        """Serve on loopback; `url` says where."""
        with jsonserver.serving(self._asked) as self.url:
            yield self

    def _asked(self, asked: Asked) -> Answer:
        self.requests.append((asked.method, asked.path))
        if self.answers:
            status, content, headers = self.answers.pop(0)
            return status, headers, content
        status, value = self.answer(asked.method, asked.path, json.loads(asked.body or b"{}"))
        return status, {}, json.dumps(value).encode()
