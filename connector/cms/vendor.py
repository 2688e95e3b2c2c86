"""What every vendor module provides: the `Vendor` protocol and the settings they share.

Vendors are pure: no I/O, no sleep, no log, no clock; they build requests and read responses, and raise the errors of
`connector.errors`.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import ClassVar, NamedTuple, Protocol
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connector.cms import outbound
from connector.cms.content_model import ModelReader
from connector.cms.shape import Shape
from connector.cms.webhook import Refused, WakeUp, WebhookCall
from connector.model.change import EntityKey, EntityType
from connector.model.checkpoint import Position
from connector.model.page import Frame, SyncPage


class Remark(NamedTuple):
    """What an operator should know about `setting`: a sentence, and what to do about it."""

    setting: str
    what: str
    hint: str = "leave it out to see every delete; content_types and entity_types filter without losing any"


class Settings(BaseModel):
    """The keys of a `[connections.<name>]` table that belong to the vendor; each vendor extends it.

    `base_url` None means the vendor's default for its region; else scheme, host, port, and a gateway's path, to which
    the vendor's own is appended; http only for loopback, unless `allow_http`. `api_filter` holds the
    vendor's own initial parameters.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    token: SecretStr
    base_url: str | None = None
    allow_http: bool = False
    page_size: int | None = Field(default=None, ge=1)
    api_filter: dict[str, str] = {}
    webhook_secret: SecretStr | None = None

    @field_validator("base_url")
    @classmethod
    def _origin(cls, base_url: str | None) -> str | None:
        if base_url is None:
            return None
        try:
            parts = outbound.checked(base_url)
            httpx.URL(base_url)
        except (ValueError, httpx.InvalidURL) as error:
            raise ValueError(f"base_url must be a URL like https://cdn.example.com: {error}") from None
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("base_url must be scheme, host, port and path alone, without credentials or a query")
        return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"

    @model_validator(mode="after")
    def _encrypted(self) -> "Settings":
        parts = urlsplit(self.base_url or "")
        if parts.scheme == "http" and not self.allow_http and not _is_loopback(parts.hostname or ""):
            raise ValueError("base_url would send the token unencrypted; use https, or set allow_http = true")
        return self

    def unused(self) -> Iterator[Remark]:
        """Yield each setting that is present but has no effect given the others; vendors add their own."""
        if self.base_url and "region" in self.model_fields_set:
            yield Remark("region", "has no effect if base_url is set", "leave out one of the two")
        if self.allow_http and not (self.base_url or "").startswith("http:"):
            yield Remark("allow_http", "has no effect: requests use https", "leave allow_http out")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Vendor(Protocol):
    """One vendor's Sync API for one connection. Stateless: everything it needs to know is in the position."""

    name: ClassVar[str]
    """The configuration's `vendor` and `source.connector`."""

    settings_type: ClassVar[type[Settings]]

    newest_first: ClassVar[bool]
    """Whether a walk's responses run from the newest change to the oldest."""

    localized: ClassVar[bool]
    """Whether an item is in one locale; else one item carries them all, and no filter can leave one out."""

    content_members: ClassVar[tuple[str, ...]]
    """The members of an item, besides its fields, that are content: no clocks, revisions or links to where it lives."""

    own_members: ClassVar[frozenset[str]]
    """If `localized`: members of an entry's fields that no content type has. One too few costs requests."""

    shape: ClassVar[Shape | None]
    """Where items say what, so that the compiled core can read them; None where `read` alone knows."""

    entity_types: ClassVar[frozenset[EntityType]]
    """The kinds of entities that the API reports."""

    def __init__(self, connection: str, settings: Settings) -> None: ...

    @property
    def base_url(self) -> str:
        """Scheme and host (and port, and a gateway's path) that requests go to; the credential goes nowhere else."""
        ...

    @property
    def db(self) -> str:
        """`source.db`: the space or stack label; never a credential."""
        ...

    @property
    def schema(self) -> str | None:
        """`source.schema`: the environment (with its branch), if the vendor has one."""
        ...

    @property
    def scope(self) -> Mapping[str, str]:
        """Everything that scopes a cursor, for the fingerprint; no token, base_url or page size in it."""
        ...

    @property
    def follows(self) -> bool:
        """Whether the API reports what changes after a snapshot."""
        ...

    @property
    def model(self) -> ModelReader:
        """What asks for the content types and locales, with the same credentials and scope."""
        ...

    def request(self, position: Position) -> httpx.Request:
        """Return the request for the page after `position`; without a cursor, the one that starts a snapshot.

        Raises `StreamStopped` if the API has no such request.
        """
        ...

    def frame(self, response: httpx.Response, after: Position) -> Frame:
        """Return what a fully read response says, its items unparsed: the next request need not wait for them.

        Raises `SourceUnavailable` (with `retry_after` if given), `SourceRejected`, `CheckpointRejected`
        (`doubtful` if only a probe can tell) or `PageTooLarge`.
        """
        ...

    def read(self, frame: Frame) -> SyncPage:
        """Return the page of a frame; never raises.

        An item that cannot be understood MUST become a dead letter of the page, never an exception.
        """
        ...

    def locate(self, key: EntityKey, content_type: str | None, /) -> str:
        """Return the delivery API's URL of an entity; never with a credential in it."""
        ...

    def probe(self) -> httpx.Request:
        """Return a cheap request that succeeds exactly when credentials and scope are right."""
        ...

    def check_probe(self, response: httpx.Response) -> None:
        """Return if the probe succeeded; else raise as `frame` does."""
        ...

    def filter_gaps(self) -> tuple[Remark, ...]:
        """Return each kind of change that a setting makes the API withhold (deletes above all)."""
        ...

    def wake_up(self, call: WebhookCall, now: float) -> WakeUp | Refused:
        """Return what a webhook call announces, or why it is not authentic; never raises, whatever the call.

        `now` is in seconds since 1970.
        """
        ...
