"""Schema ids from a Schema Registry (Confluent API): registers, looks up, checks. The four requests we need, no client.

`confluent-kafka`'s own client pins requirements that package indexes do not always carry; see docs/adr.
"""

import ssl
from typing import Any, Final
from urllib.parse import quote

import httpx

from connector import http
from connector.errors import BrokerFatal, RegistryUnavailable
from connector.outbound import Proxy

_UNAUTHORIZED: Final = {401, 403}
_INCOMPATIBLE: Final = 409
_SERVER_ERROR: Final = 500


class Registry:
    """A schema registry at `url`. Every request is bounded by `timeout`: some registries never answer unknown paths.

    Methods raise `RegistryUnavailable` (try again) or `BrokerFatal` (it refuses).
    """

    def __init__(
        self,
        url: str,
        *,
        credentials: tuple[str, str] | None = None,
        proxy: Proxy | None = None,
        context: ssl.SSLContext | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._url = url
        self._client = httpx.Client(
            auth=credentials,
            timeout=timeout,
            transport=http.Transport(timeout, proxy=proxy, context=context),
            trust_env=False,
            # Requests are rare: no connection waits for the next one, and none is left open behind us.
            headers={"Accept": "application/vnd.schemaregistry.v1+json, application/json", "Connection": "close"},
        )

    def register(self, subject: str, schema: str) -> int:
        """Register an Avro schema under a subject, or find it there; return its id."""
        answer = self._send("POST", f"/subjects/{quote(subject, safe='')}/versions", {"schema": schema})
        return int(answer["id"])

    def schema(self, schema_id: int) -> str:
        """Return the text of a registered schema."""
        return str(self._send("GET", f"/schemas/ids/{schema_id}")["schema"])

    def compatible(self, subject: str, schema: str) -> bool:
        """Tell whether the subject's latest version accepts `schema` as its successor; a new subject accepts any."""
        path = f"/compatibility/subjects/{quote(subject, safe='')}/versions/latest"
        answer = self._send("POST", path, {"schema": schema}, absent={"is_compatible": True})
        return bool(answer["is_compatible"])

    def subjects(self) -> list[str]:
        """Return the names of all subjects: also the way to see whether the registry answers."""
        answer: Any = self._send("GET", "/subjects")
        return list(answer)

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _send(self, method: str, path: str, body: Any = None, absent: Any = None) -> Any:
        try:
            response = self._client.request(method, self._url + path, json=body)
        except httpx.HTTPError as error:
            raise RegistryUnavailable(
                f"the schema registry at {self._url} did not answer: {type(error).__name__}: {error}",
                hint="check [kafka] registry and that it can be reached from here",
            ) from error
        if response.status_code == httpx.codes.NOT_FOUND and absent is not None:
            return absent
        if response.is_success:
            return self._json(response)
        raise self._refusal(response, path)

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise RegistryUnavailable(
                f"{self._url} answered with something that is not JSON", hint="is the registry's URL complete?"
            ) from error

    def _refusal(self, response: httpx.Response, path: str) -> RegistryUnavailable | BrokerFatal:
        status = response.status_code
        if status in _UNAUTHORIZED:
            return BrokerFatal(
                f"the schema registry at {self._url} refuses the credentials (HTTP {status})",
                hint="check user and password of [kafka] registry",
            )
        if status == _INCOMPATIBLE:
            return BrokerFatal(
                f"the schema registry refuses a schema as incompatible: {path}",
                hint="an older or newer contentwire registered this subject; use a new prefix, or change its rule",
            )
        said = f"the schema registry at {self._url} answered HTTP {status} to {path}"
        if status >= _SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS:
            return RegistryUnavailable(said, hint="check that [kafka] registry names the Confluent API's base URL")
        return BrokerFatal(said, hint="check that [kafka] registry names the Confluent API's base URL")
