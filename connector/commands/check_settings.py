"""Settings that have no effect given the others, and so mislead whoever reads the file. Pure."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from connector.cms import outbound
from connector.cms.vendor import Remark, Vendor
from connector.config.settings import Connection, Registry
from connector.wiring import ConfiguredStream


def of_stream(stream: ConfiguredStream) -> Iterator[Remark]:
    """Yield each setting of a stream's connection that has no effect, and why."""
    connection = stream.connection
    yield from connection.settings.unused()
    yield from _filters(connection, stream.vendor)
    yield from _of_route(connection, stream.vendor.base_url)
    if connection.settings.webhook_secret and stream.config.server is None:
        yield Remark("webhook_secret", "no port is open for webhooks", "add the table [server]")
    mode = f'snapshot_mode = "{connection.snapshot_mode}"'
    idle = {"initial_only": ("poll_interval",), "never": ("republish", "max_delete_share")}
    for name in idle.get(connection.snapshot_mode, ()):
        if name in connection.model_fields_set:
            yield Remark(name, f"has no effect with {mode}", f"leave {name} out, or choose another snapshot_mode")


def of_registry(registry: Registry) -> Iterator[Remark]:
    """Yield each setting of the registry that has no effect, and why."""
    yield from _of_route(registry, registry.url)


def _filters(connection: Connection, vendor: Vendor) -> Iterator[Remark]:
    kinds = set(connection.entity_types or vendor.entity_types)
    if unknown := sorted(kinds - vendor.entity_types):
        names = ", ".join(unknown)
        yield Remark("entity_types", f"{vendor.name} does not deliver {names}", f"leave {names} out")
    if connection.content_types and kinds == {"asset"}:
        yield Remark(
            "content_types",
            "has no effect on assets, and entity_types leaves nothing else",
            "leave content_types out, or add entry to entity_types",
        )


def _of_route(reached: Connection | Registry, url: str) -> Iterator[Remark]:
    parts = urlsplit(url)
    if reached.proxy is not None and outbound.is_loopback(parts.hostname or ""):
        yield Remark("proxy", f"has no effect: {parts.hostname} is this machine", "leave proxy out")
    if reached.ca is not None and parts.scheme == "http":
        yield Remark("ca", "has no effect: nothing is encrypted with http", "write the URL with https, or leave ca out")
