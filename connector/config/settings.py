"""What a configuration holds: frozen, validated values with their defaults. Reads no file and no environment."""

import base64
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from connector.cms import http, outbound
from connector.cms.outbound import Outbound, Proxy
from connector.cms.vendor import Settings
from connector.config import topic_template
from connector.config.secret import Missing, Secret
from connector.config.site import Site
from connector.errors import ConfigError, ConnectorError
from connector.model.change import EntityType
from connector.tables.columns import Options

_BROKER = r"([A-Z_]+://)?(\[[0-9A-Fa-f:.]+\]|[^\s/:\[\]]+)(:\d{1,5})?"


def as_text(value: Any) -> Any:
    """Return a value as text, as Kafka wants its settings; operators also write TOML's booleans and numbers."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _some(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise ValueError("must name at least one, or be left out to mean all")
    if "" in values:
        raise ValueError("must not contain an empty string")
    return tuple(sorted(set(values)))


def _is_line(text: str) -> bool:
    return text.isascii() and text.isprintable()


Text = Annotated[str, BeforeValidator(as_text)]
Names = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_some)]
EntityTypes = Annotated[tuple[EntityType, ...], Field(strict=False), AfterValidator(_some)]
TopicConfig = Annotated[Mapping[str, Text], AfterValidator(MappingProxyType)]
Client = Annotated[Mapping[str, Text | SecretStr], AfterValidator(MappingProxyType)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)


class _Reached(_Frozen):
    """Something that is reached over HTTP. `outbound`: what the environment says about proxies and certificates.

    `proxy`: the proxy to use, instead of the environment's. `ca`: a PEM file of certificates to trust, instead of the
    environment's and the usual ones.
    """

    internal: ClassVar[frozenset[str]] = frozenset({"outbound"})
    """Members that the file may not set."""

    proxy: str | SecretStr | None = None
    ca: Path | None = None
    outbound: Outbound = Outbound()

    def proxy_to(self, url: str) -> Proxy | None:
        """Return the proxy that a request to `url` uses."""
        own = self._own_proxy()
        return Outbound({"all": own}).proxy_for(url) if own else self.outbound.proxy_for(url)

    def proxies(self) -> list[Proxy]:
        """Return every known proxy that can be used now."""
        found = [*self.outbound.proxies.values()]
        with suppress(ConfigError):
            if own := self._own_proxy():
                found.append(own)
        return found

    def _own_proxy(self) -> Proxy | None:
        """Return the file's proxy; raises `ConfigError` if it is a secret and, since read again, no longer a URL."""
        if self.proxy is None:
            return None
        try:
            if isinstance(self.proxy, str):
                return outbound.proxy(self.proxy, "the configuration")
            return outbound.proxy(self.proxy.get_secret_value(), getattr(self.proxy, "origin", "the configuration"))
        except ValueError as error:
            raise ConfigError(f"proxy: {error}", hint="correct the URL of the proxy") from error

    @field_validator("proxy")
    @classmethod
    def _usable(cls, proxy: str | SecretStr | None) -> str | SecretStr | None:
        if isinstance(proxy, str) and "@" in proxy:
            raise ValueError("holds credentials; write the whole URL as a secret, { env = … } or { file = … }")
        if proxy is not None and not isinstance(proxy, Missing):
            outbound.proxy(proxy if isinstance(proxy, str) else proxy.get_secret_value(), "")
        return proxy

    @field_validator("ca", mode="before")
    @classmethod
    def _file(cls, ca: Any, info: ValidationInfo) -> Any:
        if not isinstance(ca, str):
            return ca
        path = Path(info.context or ".") / ca
        try:
            http.certificates(path, Outbound())
        except ConnectorError as error:
            raise ValueError(str(error).removeprefix("ca: ")) from error
        return path


class Registry(_Reached):
    """The schema registry (Confluent API). `may_register`: whether missing schemas may be registered."""

    url: str
    may_register: bool = Field(default=True, alias="register")
    user: str | None = None
    password: SecretStr | None = None

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        if "@" in urlsplit(url).netloc:
            raise ValueError("holds credentials; write them as user and password")
        try:
            parts = outbound.checked(url)
        except ValueError as error:
            raise ValueError(f"must be a URL like https://registry.example.com: {error}") from None
        if parts.query or parts.fragment:
            raise ValueError("must consist of scheme, host, port and path only, without a query")
        return url.rstrip("/")

    @field_validator("user")
    @classmethod
    def _carried(cls, user: str | None) -> str | None:
        if user is not None and (not user or user != user.strip() or ":" in user or not _is_line(user)):
            raise ValueError("must be one line of printable ASCII, without a colon and without whitespace at its ends")
        return user

    @model_validator(mode="after")
    def _pair(self) -> "Registry":
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together")
        return self


class KafkaConfig(_Frozen):
    """Where to publish and how. Sizes are bytes, durations seconds.

    - `topic`: the template of the changes topics, made of {prefix}, {connection}, {entity_type} and {locale}.
    - `partitions`, `replication_factor` (-1: the broker's), `topic_config`: for new changes topics.
    - `commit_items`, `commit_bytes`, `commit_interval`: what one transaction holds at most.
    - `heartbeat`: how often an idle stream refreshes its checkpoint.
    - `client`: librdkafka settings; `properties()` reveals them.
    """

    bootstrap_servers: str
    prefix: str = "contentwire"
    topic: str = "{prefix}.{connection}.changes"
    registry: Registry | None = None
    partitions: int = Field(default=6, ge=1, le=10_000)
    replication_factor: int = Field(default=-1, ge=-1, le=32_767)
    topic_config: TopicConfig = Field(default_factory=dict, validate_default=True)
    client: Client = Field(default_factory=dict, validate_default=True)
    commit_items: int = Field(default=10_000, ge=1, le=1_000_000)
    commit_bytes: int = Field(default=64 * 1024**2, ge=1024, le=1024**3)
    commit_interval: Seconds = Field(default=1.0, le=60)
    transaction_timeout: Seconds = Field(default=20.0, ge=5, le=900)
    max_message_bytes: int = Field(default=8 * 1024**2, ge=1024, le=1_000_000_000)
    heartbeat: Seconds = Field(default=600.0, le=86_400)

    def secrets(self) -> list[Secret]:
        """Return the secrets of the broker and the registry, from files and the environment."""
        return list(secrets_of(self))

    def properties(self) -> dict[str, str]:
        """Return the settings of every Kafka client, secrets revealed: for the client library alone."""
        revealed = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self.client.items()
        }
        # The client's log arrives as errors too; its own lines would be interleaved with ours.
        level = {} if "debug" in revealed else {"log_level": "0"}
        return {"bootstrap.servers": self.bootstrap_servers, **level, **revealed}

    @field_validator("bootstrap_servers")
    @classmethod
    def _brokers(cls, servers: str) -> str:
        if not all(re.fullmatch(_BROKER, part) for part in servers.split(",")):
            raise ValueError('must be "host:port", several separated by commas')
        return servers

    @field_validator("prefix")
    @classmethod
    def _legal(cls, prefix: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", prefix):
            raise ValueError(
                "must consist of the characters that Kafka allows in a topic: letters, digits, dot, _ and -"
            )
        return prefix

    @field_validator("topic")
    @classmethod
    def _template(cls, topic: str) -> str:
        return topic_template.checked(topic)

    @field_validator("replication_factor")
    @classmethod
    def _replicas(cls, factor: int) -> int:
        if factor == 0:
            raise ValueError("must be -1 (the broker's default) or at least 1")
        return factor

    @field_validator("topic_config")
    @classmethod
    def _contract(cls, settings: Mapping[str, str]) -> Mapping[str, str]:
        if "cleanup.policy" in settings:
            raise ValueError("cleanup.policy is compact by the message contract")
        if "max.message.bytes" in settings:
            raise ValueError("max.message.bytes follows max_message_bytes; set that instead")
        return settings


class Tables(_Frozen):
    """Typed tables of a connection's content types; see `connector.tables.columns.Options`."""

    locales: Literal["rows", "default"] | Annotated[tuple[str, ...], Field(strict=False)] = "rows"
    evolution: Literal["column", "stop", "json"] = "column"

    def options(self) -> Options:
        """Return how the tables are made."""
        return Options(locales=self.locales, evolution=self.evolution)


class Connection(_Reached):
    """One space or stack and environment, followed as one stream. Sizes are bytes, durations seconds.

    - `settings`: the keys that belong to the vendor.
    - `content_types`, `entity_types`, `locales`: what is published, None for all; applied by contentwire.
    - `unseen_deletes`: what happens to the removal of a key that was never seen live.
    - `republish`: whether a re-snapshot publishes what changed, or everything.
    - `max_delete_share`: the share of live keys a reconciliation may delete without an operator's consent.
    - `malformed`, `oversized`: what happens to an item that cannot be read, and to an event that is too large.
    - `tables`: how its content types are published as tables too, if they are.
    """

    name: str
    vendor: str
    settings: Settings
    poll_interval: Seconds = Field(default=30.0, ge=0.1, le=86_400)
    request_timeout: Seconds = Field(default=30.0, ge=1, le=600)
    max_response_bytes: int = Field(default=64 * 1024**2, ge=64 * 1024, le=900 * 1024**2)
    snapshot_mode: Literal["initial", "initial_only", "never"] = "initial"
    content_types: Names | None = None
    entity_types: EntityTypes | None = None
    locales: Names | None = None
    envelope: Literal["debezium", "flat"] = "debezium"
    tombstones: bool = True
    unseen_deletes: Literal["publish", "suppress"] = "publish"
    republish: Literal["changed", "all"] = "changed"
    max_delete_share: float = Field(default=0.2, ge=0, le=1)
    malformed: Literal["dead-letter", "stop"] = "dead-letter"
    oversized: Literal["dead-letter", "stop", "reference"] = "dead-letter"
    tables: Literal[False] | Tables = False

    def secrets(self) -> list[Secret]:
        """Return the connection's own secrets, from files and the environment."""
        return list(secrets_of(self))

    @field_validator("tables", mode="before")
    @classmethod
    def _switched(cls, tables: Any) -> Any:
        if isinstance(tables, bool):
            return Tables() if tables else False
        if not isinstance(tables, dict | Tables):
            raise ValueError("must be true, false, or a table of locales and evolution")  # noqa: TRY004  pydantic's way
        return tables

    @field_validator("snapshot_mode", mode="before")
    @classmethod
    def _ours(cls, mode: Any) -> Any:
        # Debezium users look for it.
        if mode == "when_needed":
            raise ValueError('write "initial", which takes a new snapshot when one is needed, as when_needed would')
        return mode


class ServerConfig(_Frozen):
    """Where metrics, health, webhooks and the status page listen. Port 0 means any free port.

    `hosts`: names that the port answers to, besides addresses, localhost and the name in `listen`. `public_path`: what
    a gateway strips from the path of webhook calls before they arrive; signatures cover the whole path.
    """

    listen: str = "127.0.0.1:9464"
    hosts: Names | None = None
    public_path: str = Field(default="", pattern=r"^(/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?$")

    def site(self) -> Site:
        """Return what the server needs to know."""
        return Site(self.host, self.port, frozenset(self.hosts or ()), self.public_path)

    @field_validator("listen")
    @classmethod
    def _address(cls, listen: str) -> str:
        match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})", listen)
        if not match or int(match[2]) > 65_535:  # noqa: PLR2004  # the highest port
            raise ValueError('must be "host:port"')
        return listen

    @property
    def host(self) -> str:
        """The host name or address, an IPv6 one without its brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port."""
        return int(self.listen.rpartition(":")[2])


class Config(_Frozen):
    """A whole configuration. Its `repr` shows no secret."""

    kafka: KafkaConfig
    connections: Annotated[Mapping[str, Connection], AfterValidator(MappingProxyType)]
    server: ServerConfig | None = None

    def secrets(self) -> frozenset[str]:
        """Return every secret value, also as headers encode it, so that logs can leave them out."""
        found = {secret.get_secret_value() for secret in secrets_of(self)}
        registry = self.kafka.registry
        if registry and registry.user and registry.password and not isinstance(registry.password, Missing):
            pair = f"{registry.user}:{registry.password.get_secret_value()}"
            found.add(base64.b64encode(pair.encode()).decode())
        for reached in (registry, *self.connections.values()):
            for proxy in reached.proxies() if reached else ():
                found.update(proxy.secrets())
        return frozenset(found)


def secrets_of(value: Any) -> Iterator[Secret]:
    """Yield every secret within a configuration value."""
    match value:
        case Missing():
            return
        case Secret():
            yield value
        case BaseModel():
            for name in type(value).model_fields:
                yield from secrets_of(getattr(value, name))
        case Mapping():
            for item in value.values():
                yield from secrets_of(item)
