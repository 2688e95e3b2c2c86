"""Schema ids from a Schema Registry (Confluent API): registers, looks up, checks. The four requests we need, no client.

`confluent-kafka`'s own client pins requirements that package indexes do not always carry; see docs/adr.
"""

import codecs
import ssl
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from connector.cms import http
from connector.errors import BrokerFatal, ConnectorError, LocalTrouble, RegistryUnavailable

_UNAUTHORIZED: Final = {401, 403}
_INCOMPATIBLE: Final = 409
_SERVER_ERROR: Final = 500
_TRANSIENT: Final = {408, 425, 429}
# Confluent's codes: denied for this account, read-only mode. Some registries deny with a 404, so as not to
# reveal what exists; when registering, that does not mean absence.
_DENIED: Final = {40101, 40301, 40303, 42205}
_NOT_FOUND: Final = range(40400, 40500)
_HIGHEST_ID: Final = 2**31 - 1
_MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
_CHUNK: Final = 64 * 1024
_ERROR_BYTES: Final = 64 * 1024
_BASE_URL: Final = "check that [kafka] registry names the Confluent API's base URL"
_ADMINISTRATOR: Final = "let an account that may do so register the schemas: contentwire schemas register"

T = TypeVar("T")


class Registry:
    """A schema registry at `url`. Every request is bounded by `timeout`: some registries never answer unknown paths.

    Its connections are those of `pool`; `transport` replaces the network. With `may_register` false nothing is ever
    registered. Answers are believed only if they have the shape and range of a registry's. Methods raise
    `RegistryUnavailable` or `LocalTrouble` (try again), or `BrokerFatal` (it refuses).
    """

    def __init__(  # noqa: PLR0913  all but the URL are keywords with defaults
        self,
        url: str,
        *,
        credentials: tuple[str, str] | None = None,
        pool: http.Pool | None = None,
        may_register: bool = True,
        timeout: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._url = url
        # Names who may have answered in place of the registry: with TLS nobody can.
        proxy = pool.proxy if pool else None
        self._named = f"{url} (by {proxy})" if proxy and url.startswith("http:") else url
        self._may_register = may_register
        self._client = httpx.Client(
            auth=credentials,
            timeout=timeout,
            transport=transport or http.Transport(timeout, pool),
            trust_env=False,
            # Requests are rare: no connection is kept for the next one, and none is left open.
            headers={
                "Accept": "application/vnd.schemaregistry.v1+json, application/json",
                # Answers are small, and what is not compressed cannot expand.
                "Accept-Encoding": "identity",
                "Connection": "close",
            },
        )

    def find(self, subject: str, schema: str) -> int | None:
        """Return the id under which an Avro schema is registered for a subject, None if it is not."""
        path = f"/subjects/{quote(subject, safe='')}"
        answer = self._look_up("POST", path, {"schema": schema})
        return None if answer is None else _id(answer[0])

    def register(self, subject: str, schema: str) -> int:
        """Return the id of an Avro schema under a subject, registering it first if it is missing.

        Looking up takes no more than the right to read. Raises what `add` raises.
        """
        found = self.find(subject, schema)
        return self.add(subject, schema) if found is None else found

    def add(self, subject: str, schema: str) -> int:
        """Register an Avro schema that is missing under a subject; return its id.

        Raises `BrokerFatal` if registering is refused, or not wanted (`register = false`): an administrator must do it.
        """
        if not self._may_register:
            raise BrokerFatal(
                f"the schema of {subject} is not registered at {self._url}, and register = false", hint=_ADMINISTRATOR
            )
        path = f"/subjects/{quote(subject, safe='')}/versions"
        return _id(self._send("POST", path, {"schema": schema}, registering=subject))

    def schema(self, schema_id: int) -> str:
        """Return the text of a registered schema; raises `BrokerFatal` if there is none with that id."""
        found = self.by_id(schema_id)
        if found is None:
            raise BrokerFatal(
                f"the schema registry at {self._url} knows no schema {schema_id}",
                hint="it was wiped, or is not the one that the records were written with: restore it",
            )
        return found

    def by_id(self, schema_id: int) -> str | None:
        """Return the text of a registered schema, None if there is none with that id."""
        answer = self._look_up("GET", f"/schemas/ids/{schema_id}")
        return None if answer is None else _member(answer[0], "schema", str)

    def latest(self, subject: str) -> str | None:
        """Return the text of a subject's latest schema, None if it has none."""
        answer = self._look_up("GET", f"/subjects/{quote(subject, safe='')}/versions/latest")
        return None if answer is None else _member(answer[0], "schema", str)

    def compatible(self, subject: str, schema: str) -> bool:
        """Return whether the subject's latest version accepts `schema` as its successor; a new subject accepts any."""
        path = f"/compatibility/subjects/{quote(subject, safe='')}/versions/latest"
        answer = self._look_up("POST", path, {"schema": schema})
        return answer is None or _member(answer[0], "is_compatible", bool)

    def subjects(self) -> list[str]:
        """Return the names of all subjects: also the way to check that the registry answers."""
        answer = self._send("GET", "/subjects")
        if not isinstance(answer, list) or not all(isinstance(name, str) for name in answer):
            raise _NoRegistry("a list of subjects")
        return answer

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _look_up(self, method: str, path: str, body: Any = None) -> tuple[Any] | None:
        """Return the answer, None if the registry says that there is nothing; else raises as `_send` does."""
        try:
            return (self._send(method, path, body),)
        except _Absent as absent:
            if not absent.by_registry:
                # A gateway's page says nothing about what is behind it; a registry lists its subjects.
                self.subjects()
            return None

    def _send(self, method: str, path: str, body: Any = None, *, registering: str = "") -> Any:
        """Return the JSON of an answer; raises `_Absent` for a 404."""
        try:
            with self._client.stream(method, self._url + path, json=body) as response:
                content = self._read(response)
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ssl.SSLError) as error:
            raise RegistryUnavailable(
                f"the schema registry at {self._url} did not answer: {type(error).__name__}: {error}",
                hint=http.advice(error, "check [kafka] registry and that it can be reached from here"),
            ) from error
        except OSError as error:
            raise LocalTrouble.of(error) from error
        if response.is_success:
            return self._parsed(content)
        raise self._refusal(response.status_code, content, path, registering)

    def _read(self, response: httpx.Response) -> bytes:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise _NoRegistry("an uncompressed answer, as requested", self._named)
        found = bytearray()
        for chunk in response.iter_raw(_CHUNK):
            found += chunk
            if len(found) > _MAX_ANSWER_BYTES:
                raise _NoRegistry(f"an answer of less than {_MAX_ANSWER_BYTES} bytes", self._named)
        return bytes(found)

    def _parsed(self, content: bytes) -> Any:
        try:
            return msgspec.json.decode(content.removeprefix(codecs.BOM_UTF8))
        except (ValueError, RecursionError) as error:
            raise _NoRegistry("JSON", self._named) from error

    def _refusal(self, status: int, content: bytes, path: str, registering: str) -> ConnectorError:
        code, message = _error(content)
        said = f"the schema registry at {self._named} answered HTTP {status}{message} to {path}"
        if status >= _SERVER_ERROR or status in _TRANSIENT:
            return RegistryUnavailable(said, hint="it is tried again; if this persists, look at the registry")
        absent = status == httpx.codes.NOT_FOUND
        if registering and (status in _UNAUTHORIZED or code in _DENIED or (absent and code)):
            return BrokerFatal(f"{said}: the schema may not be registered", hint=_ADMINISTRATOR)
        if absent and " denied " not in message:
            return _Absent(said, by_registry=code in _NOT_FOUND)
        if absent or status in _UNAUTHORIZED or code in _DENIED:
            return BrokerFatal(f"{said}: it refuses this account", hint="check user and password of [kafka] registry")
        if status == _INCOMPATIBLE:
            return BrokerFatal(
                f"{said}: the schema is incompatible",
                hint="an older or newer contentwire registered this subject; use a new prefix, or change its rule",
            )
        return BrokerFatal(said, hint=_BASE_URL)


class _Absent(BrokerFatal):
    """A 404: what was asked for does not exist, if a registry says so; else the URL may not be a registry's."""

    def __init__(self, message: str, *, by_registry: bool) -> None:
        super().__init__(message, hint=_BASE_URL)
        self.by_registry = by_registry


class _NoRegistry(RegistryUnavailable):
    """An answer that no registry gives: a proxy, a login page or something hostile has answered."""

    def __init__(self, wanted: str, url: str = "") -> None:
        super().__init__(
            f"the schema registry{f' at {url}' if url else ''} answered with something other than {wanted}",
            hint=f"{_BASE_URL}; is that a registry?",
        )


def _id(answer: Any) -> int:
    found = _member(answer, "id", int)
    if not 0 <= found <= _HIGHEST_ID:
        raise _NoRegistry("an id that its wire format can hold")
    return found


def _member(answer: Any, name: str, kind: type[T]) -> T:
    found = answer.get(name) if isinstance(answer, dict) else None
    if type(found) is not kind:
        raise _NoRegistry(f"an object with {name}")
    return found


def _error(content: bytes) -> tuple[int, str]:
    """Return the registry's error_code, and its code and message for an operator."""
    try:
        found = msgspec.json.decode(content[:_ERROR_BYTES])
    except (ValueError, RecursionError):
        return 0, ""
    if not isinstance(found, dict):
        return 0, ""
    code, message = found.get("error_code"), found.get("message")
    number = code if type(code) is int else 0
    words = "".join(each if each.isprintable() else " " for each in message[:300]) if isinstance(message, str) else ""
    return number, f" ({': '.join(filter(None, (str(number or ''), words)))})" if number or words else ""
