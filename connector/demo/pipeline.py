"""Everything the demo runs: broker, registry, the simulated CMSs, and the connector in a separate process."""

import contextlib
import json
import os
import re
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

import msgspec
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from connector.config.tables import tables
from connector.demo.view import View
from connector.devservers import apicurio, broker
from connector.devservers.broker import Broker
from connector.devservers.child import Child, free_ports
from connector.errors import ConnectorError
from connector.kafka.registry import Registry
from connector.simulator import Simulator

CONNECTOR: Final = (sys.executable, "-m", "connector.cli")
"""The real command line: the process that is killed is the one users run."""

SESSION: Final = 6.0
"""Seconds after which Kafka reassigns a silent process's streams; brokers allow no less by default."""

_POLL = 1.0
_TIMEOUT = 15


class Pipeline(msgspec.Struct, frozen=True):
    """Where everything is. Each simulated vendor is a connection with its name."""

    broker: Broker
    registry: str
    simulator: Simulator
    folder: Path
    prefix: str
    status: str

    @property
    def connections(self) -> tuple[str, ...]:
        """The names of the connections."""
        return self.simulator.vendors

    @property
    def topics(self) -> dict[str, str]:
        """The changes topic of each connection."""
        return {connection: f"{self.prefix}.{connection}.changes" for connection in self.connections}

    @property
    def config(self) -> Path:
        """The connector's configuration file."""
        return self.folder / "contentwire.toml"

    @property
    def secrets(self) -> Path:
        """A file that a shell can read the connections' credentials from."""
        return self.folder / "secrets.env"

    @property
    def log(self) -> Path:
        """The connector's log file."""
        return self.folder / "connector.log"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the configuration takes credentials from."""
        return self.tables()[1]

    def tables(self) -> tuple[str, dict[str, str]]:
        """Return the connections' part of the configuration, and those variables."""
        return tables({vendor: self.simulator.connection(vendor) for vendor in self.connections})

    def write(self) -> None:
        """Write the configuration and the credentials' file."""
        self.config.write_text(_configuration(self))
        exports = [f"export {name}='{value}'\n" for name, value in self.environment.items()]
        self.secrets.write_text("".join(exports))

    def start(self, command: Sequence[str]) -> Child:
        """Start the connector; `command` stands for `contentwire`."""
        arguments = [*command, "--config", str(self.config), "run"]
        return Child(arguments, log=self.log, env={**os.environ, **self.environment}, scratch=self.folder)


@contextlib.contextmanager
def running(folder: Path, environ: Mapping[str, str], entries: int, view: View) -> Iterator[Pipeline]:
    """Find or start the servers and the simulator, and show where they are; they end with the context.

    Raises `ConnectorError` if one cannot be fetched or started.
    """
    prefix = f"demo-{uuid.uuid4().hex[:6]}"
    with contextlib.ExitStack() as stack:
        kafka = stack.enter_context(_kafka(environ, view, prefix))
        registry = stack.enter_context(_registry(environ, view, prefix))
        simulator = Simulator(entries=entries, wall_clock=True)
        stack.enter_context(simulator.serving())
        view.fact("CMS simulator", f"{simulator.url()} ({', '.join(map(str.capitalize, simulator.vendors))})")
        yield Pipeline(kafka, registry, simulator, folder, prefix, f"127.0.0.1:{free_ports(1)[0]}")


@contextlib.contextmanager
def _kafka(environ: Mapping[str, str], view: View, prefix: str) -> Iterator[Broker]:
    began, given = time.monotonic(), bool(environ.get("KAFKA_BOOTSTRAP"))
    if not given:
        view.say("Starting Apache Kafka …")
    with broker.find_or_start(environ) as found:
        view.fact("Kafka", f"{found.bootstrap} {_origin(began, given=given)}")
        try:
            yield found
        finally:
            if given:
                _erase_topics(found, prefix)


@contextlib.contextmanager
def _registry(environ: Mapping[str, str], view: View, prefix: str) -> Iterator[str]:
    began, given = time.monotonic(), bool(environ.get("SCHEMA_REGISTRY"))
    if not given:
        view.say("Starting Apicurio Registry …")
    with apicurio.find_or_start(environ) as url:
        view.fact("Schema registry", f"{url} {_origin(began, given=given)}")
        try:
            yield url
        finally:
            if given:
                _erase_subjects(url, prefix)


def _erase_topics(kafka: Broker, prefix: str) -> None:
    """Leave nothing behind in a broker that outlives the demo; topics that cannot be deleted now do no harm."""
    with contextlib.suppress(KafkaException):
        admin = AdminClient(dict(kafka.client))
        topics = [topic for topic in admin.list_topics(timeout=_TIMEOUT).topics if topic.startswith(f"{prefix}.")]
        for deletion in (admin.delete_topics(topics) if topics else {}).values():
            deletion.result(_TIMEOUT)


def _erase_subjects(registry: str, prefix: str) -> None:
    """Leave nothing behind in a registry that outlives the demo, as above."""
    direct = build_opener(ProxyHandler({}))
    with contextlib.suppress(OSError, ConnectorError), contextlib.closing(Registry(registry)) as client:
        for subject in client.subjects():
            if subject.startswith(f"{prefix}."):
                address = f"{registry}/subjects/{quote(subject, safe='')}"
                direct.open(Request(address, method="DELETE"), timeout=_TIMEOUT).close()  # noqa: S310  an http URL


def _origin(began: float, *, given: bool) -> str:
    return "(given)" if given else f"(ready after {time.monotonic() - began:.0f} s)"


def _configuration(pipeline: Pipeline) -> str:
    lines = [
        "# Written by `contentwire demo`.",
        "[kafka]",
        f"bootstrap_servers = {_toml(pipeline.broker.bootstrap)}",
        f"prefix = {_toml(pipeline.prefix)}",
        f"registry = {{ url = {_toml(pipeline.registry)} }}",
        "partitions = 3",
        "# Small transactions, so that the demo's crash hits between many of them.",
        "commit_items = 10",
        "# How soon a dead process's streams are reassigned.",
        f'client = {{ "session.timeout.ms" = {SESSION * 1000:.0f}, "heartbeat.interval.ms" = 1000 }}',
        "",
        "[server]",
        f"listen = {_toml(pipeline.status)}",
    ]
    text, _ = pipeline.tables()
    return "\n".join([*lines, "", re.sub(r"(?m)^(vendor = .*)$", rf"\1\npoll_interval = {_POLL}", text)])


def _toml(text: str) -> str:
    # A JSON string is a TOML string.
    return json.dumps(text)
