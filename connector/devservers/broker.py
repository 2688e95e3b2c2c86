"""Apache Kafka on loopback: one broker or three, plain or with TLS and SASL/SCRAM, from Python packages alone.

Only for tests and demonstrations: its data is in a temporary folder and gone when it is closed. Run as a program, it
keeps a broker running until Ctrl-C; export what it prints to use it.
"""

import contextlib
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from connector.clock import SYSTEM
from connector.devservers import apicurio, java
from connector.devservers.artifacts import Library
from connector.devservers.child import Child, free_ports
from connector.devservers.security import Security
from connector.errors import BrokerUnavailable
from connector.kafka.cluster import Cluster

_BUNDLE = "kafka-4.3.1"
_READY = "Kafka Server started"  # logged when the broker is registered and unfenced, not merely listening
_LARGEST_MESSAGE = 16 * 2**20  # the message contract's 8 MiB, plus headroom for the batch around it


@dataclass(frozen=True)
class Broker:
    """Where a broker answers, and the librdkafka settings to connect with."""

    bootstrap: str
    client: Mapping[str, str]


@dataclass(frozen=True)
class _Node:
    id: int
    folder: Path
    port: int
    internal: int
    controller: int

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def settings(self) -> Path:
        return self.folder / "server.properties"


class Kafka:
    """A running Kafka; a context manager that closes it at the end. It is gone with this process at the latest.

    Nodes are numbered from 1. Every broker also gets `properties`. `brief`: starts in half the CPU time, and never gets
    as fast as it can: for runs of minutes. Raises `Unreachable` if the archives cannot be fetched, and
    `BrokerUnavailable`, with the end of its log, if a broker is not ready within `deadline` seconds.
    """

    def __init__(
        self,
        *,
        brokers: int = 1,
        secure: bool = False,
        properties: Mapping[str, str] | None = None,
        brief: bool = True,
        deadline: float = 60,
    ) -> None:
        jars = Library.of_user(os.environ).fetch(_BUNDLE)
        self._deadline = deadline
        self._running: dict[int, Child] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="contentwire-kafka-"))
        self._security = Security(self._folder) if secure else None
        self._nodes = _nodes(brokers, self._folder)
        logging_file = self._folder / "log4j2.properties"
        logging_file.write_text(_LOGGING)
        self._java = [f"-Xmx{768 if brokers == 1 else 384}m", f"-Dlog4j2.configurationFile={logging_file}"]
        self._java += java.BRIEF if brief else ()
        self._java += ["-cp", os.pathsep.join(map(str, jars))]
        try:
            self._format(properties or {})
            self._start(*self._nodes.values())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def bootstrap(self) -> str:
        """The addresses of all brokers, in the form of `bootstrap.servers`."""
        return ",".join(f"127.0.0.1:{node.port}" for node in self._nodes.values())

    @property
    def client(self) -> dict[str, str]:
        """The librdkafka settings to connect with."""
        return {"bootstrap.servers": self.bootstrap} | (self._security.client if self._security else {})

    def log(self, node: int = 1) -> Path:
        """Return a broker's log file."""
        return self._nodes[node].log

    def kill(self, node: int = 1) -> None:
        """End a running broker as a crash would; returns when it is gone."""
        self._running.pop(node).kill()

    def stop(self, node: int = 1) -> None:
        """Shut a running broker down cleanly; returns when it is gone."""
        self._running.pop(node).stop()

    def start(self, node: int = 1) -> None:
        """Start a killed or stopped broker again, with its data and its port; returns when it is ready."""
        self._start(self._nodes[node])

    def pause(self, node: int = 1) -> None:
        """Freeze a running broker: its connections stay open, nothing answers."""
        self._running[node].signal(signal.SIGSTOP)

    def resume(self, node: int = 1) -> None:
        """Resume a frozen broker."""
        self._running[node].signal(signal.SIGCONT)

    def close(self) -> None:
        """End all brokers and remove their data; may be called again."""
        while self._running:
            self._running.popitem()[1].kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _format(self, properties: Mapping[str, str]) -> None:
        if self._security:
            self._security.create()
        security = self._security.server if self._security else {}
        with contextlib.ExitStack() as stack:
            tools = []
            for node in self._nodes.values():
                node.folder.mkdir()
                settings = {**_settings(node, self._nodes), **security, **properties}
                node.settings.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
                tool = ["kafka.tools.StorageTool", "format", "-t", self._folder.name, "-c", str(node.settings)]
                tool += self._security.format if self._security else []
                tools.append(stack.enter_context(java.run([*self._java, *tool], log=node.log)))
            for tool_run in tools:
                if tool_run.wait(self._deadline) != 0:
                    raise BrokerUnavailable(f"Kafka's storage could not be formatted:\n{tool_run.tail()}")

    def _start(self, *nodes: _Node) -> None:
        for node in nodes:
            command = [*self._java, "kafka.Kafka", str(node.settings)]
            self._running[node.id] = java.run(command, log=node.log, scratch=self._folder)
        for node in nodes:
            child = self._running[node.id]
            if not child.said(_READY, self._deadline):
                raise BrokerUnavailable(f"Kafka broker {node.id} did not start; the end of its log:\n{child.tail()}")


@contextlib.contextmanager
def find_or_start(environ: Mapping[str, str], *, brief: bool = True) -> Iterator[Broker]:
    """Yield the broker that `KAFKA_BOOTSTRAP` names, else a `Kafka` that ends with the context."""
    if bootstrap := environ.get("KAFKA_BOOTSTRAP"):
        client = {"bootstrap.servers": bootstrap}
        _reach(client, bootstrap)
        yield Broker(bootstrap, client)
        return
    with Kafka(brief=brief) as kafka:
        yield Broker(kafka.bootstrap, kafka.client)


def _reach(client: Mapping[str, str], bootstrap: str) -> None:
    try:
        Cluster({**client, "log_level": "0"}, clock=SYSTEM).topics()
    except BrokerUnavailable as error:
        raise BrokerUnavailable(f"{error}", hint=f"KAFKA_BOOTSTRAP is {bootstrap}: correct or unset it") from error


_LOGGING = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1}: %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
logger.config.name = org.apache.kafka.common.config.AbstractConfig
logger.config.level = warn
"""


def _nodes(count: int, folder: Path) -> dict[int, _Node]:
    ports = iter(free_ports(3 * count))
    return {
        number: _Node(number, folder / f"node-{number}", next(ports), next(ports), next(ports))
        for number in range(1, count + 1)
    }


def _settings(node: _Node, nodes: Mapping[int, _Node]) -> dict[str, str]:
    replicas = str(min(3, len(nodes)))
    in_sync = str(min(2, len(nodes)))
    listeners = f"CLIENT://127.0.0.1:{node.port},INTERNAL://127.0.0.1:{node.internal}"
    return {
        "process.roles": "broker,controller",
        "node.id": str(node.id),
        "controller.quorum.voters": ",".join(f"{each.id}@127.0.0.1:{each.controller}" for each in nodes.values()),
        "listeners": f"{listeners},CONTROLLER://127.0.0.1:{node.controller}",
        "advertised.listeners": listeners,
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "INTERNAL",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(node.folder / "data"),
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        "message.max.bytes": str(_LARGEST_MESSAGE),
        "replica.fetch.max.bytes": str(_LARGEST_MESSAGE),
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "500",
        "group.consumer.min.session.timeout.ms": "1000",
        "group.consumer.min.heartbeat.interval.ms": "250",
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "500",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
        "log.cleaner.dedupe.buffer.size": str(16 * 2**20),
        "log.cleaner.backoff.ms": "1000",
    }


def _main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        kafka = stack.enter_context(find_or_start(os.environ))
        lines = f"export KAFKA_BOOTSTRAP={kafka.bootstrap}\n"
        if "--registry" in sys.argv:
            url = stack.enter_context(apicurio.find_or_start(os.environ))
            lines += f"export SCHEMA_REGISTRY={url}\n"
        sys.stdout.write(lines)
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    _main()
