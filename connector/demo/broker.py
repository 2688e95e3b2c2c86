"""Apache Kafka on loopback: one broker or three, plain or with TLS and SASL/SCRAM, from Python packages alone.

Only for tests and demonstrations: its data is in a temporary folder and gone when it is closed.
"""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from connector.demo import artifacts
from connector.demo.child import Child, free_ports
from connector.errors import BrokerUnavailable

_BUNDLE = "kafka-4.3.1"
_READY = "Kafka Server started"


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
    """A running Kafka; a context manager, closed at its end, and gone with this process at the latest.

    `properties` are added to every broker's own. Nodes are numbered from 1. Raises `Unreachable` if the archives cannot
    be fetched, and `BrokerUnavailable`, with the end of the log, if a broker is not ready within `deadline` seconds.
    """

    def __init__(
        self, *, brokers: int = 1, heap: str = "512m", properties: Mapping[str, str] | None = None, deadline: float = 60
    ) -> None:
        self._deadline = deadline
        jars = artifacts.fetch(_BUNDLE, artifacts.Repository.of_user(os.environ))
        self._java = [str(artifacts.java()), f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:-UsePerfData"]
        self._java += ["-cp", os.pathsep.join(map(str, jars))]
        self.folder = Path(tempfile.mkdtemp(prefix="contentwire-kafka-"))
        ports = iter(free_ports(3 * brokers))
        self._nodes = {
            number: _Node(number, self.folder / f"node-{number}", next(ports), next(ports), next(ports))
            for number in range(1, brokers + 1)
        }
        self._running: dict[int, Child] = {}
        (self.folder / "log4j2.properties").write_text(_LOGGING)
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        try:
            for node in self._nodes.values():
                node.folder.mkdir()
                settings = _settings(node, list(self._nodes.values())) | (properties or {})
                node.settings.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
                self._format(node, cluster)
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
        """The addresses of all brokers, as `bootstrap.servers` wants them."""
        return ",".join(f"127.0.0.1:{node.port}" for node in self._nodes.values())

    @property
    def client(self) -> dict[str, str]:
        """The librdkafka settings to connect with."""
        return {"bootstrap.servers": self.bootstrap}

    def log(self, node: int = 1) -> Path:
        """Where a broker logs."""
        return self._nodes[node].log

    def kill(self, node: int = 1) -> None:
        """End a broker as a crash would; returns when it is gone."""
        self._running.pop(node).kill()

    def stop(self, node: int = 1) -> None:
        """Shut a broker down in order; returns when it is gone."""
        self._running.pop(node).stop()

    def start(self, node: int = 1) -> None:
        """Start a killed or stopped broker again, with its data and its port; returns when it is ready."""
        self._start(self._nodes[node])

    def pause(self, node: int = 1) -> None:
        """Freeze a broker: connections stay, nothing answers."""
        self._running[node].signal(signal.SIGSTOP)

    def resume(self, node: int = 1) -> None:
        """Let a frozen broker go on."""
        self._running[node].signal(signal.SIGCONT)

    def close(self) -> None:
        """End all brokers and remove their data."""
        for child in self._running.values():
            child.kill()
        self._running.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _format(self, node: _Node, cluster: str) -> None:
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(node.settings)]
        with Child([*self._java, *tool], log=node.log) as child:
            if child.wait(self._deadline) != 0:
                raise self._failed(node)

    def _start(self, *nodes: _Node) -> None:
        seen = {node.id: node.log.stat().st_size for node in nodes}
        for node in nodes:
            command = [*self._java, "kafka.Kafka", str(node.settings)]
            command.insert(1, f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}")
            self._running[node.id] = Child(command, log=node.log)
        for node in nodes:
            self._await(node, self._running[node.id], _READY, seen[node.id])

    def _await(self, node: _Node, child: Child, line: str, seen: int) -> None:
        end = time.monotonic() + self._deadline
        while time.monotonic() < end:
            running = child.running
            if line in node.log.read_bytes()[seen:].decode(errors="replace"):
                return
            if not running:
                break
            time.sleep(0.02)
        raise self._failed(node)

    def _failed(self, node: _Node) -> BrokerUnavailable:
        tail = "\n".join(node.log.read_text(errors="replace").splitlines()[-15:])
        return BrokerUnavailable(f"Kafka broker {node.id} did not start; the end of its log:\n{tail}")


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


def _settings(node: _Node, nodes: list[_Node]) -> dict[str, str]:
    replicas = min(3, len(nodes))
    in_sync = 2 if replicas == 3 else 1
    listeners = f"CLIENT://127.0.0.1:{node.port},INTERNAL://127.0.0.1:{node.internal}"
    return {
        "process.roles": "broker,controller",
        "node.id": str(node.id),
        "controller.quorum.voters": ",".join(f"{each.id}@127.0.0.1:{each.controller}" for each in nodes),
        "listeners": f"{listeners},CONTROLLER://127.0.0.1:{node.controller}",
        "advertised.listeners": listeners,
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "INTERNAL",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(node.folder / "data"),
        "auto.create.topics.enable": "false",
        "default.replication.factor": str(replicas),
        "min.insync.replicas": str(in_sync),
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": str(replicas),
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": str(replicas),
        "transaction.state.log.min.isr": str(in_sync),
        "share.coordinator.state.topic.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": str(replicas),
        "share.coordinator.state.topic.min.isr": str(in_sync),
        "message.max.bytes": str(16 * 2**20),
        "replica.fetch.max.bytes": str(16 * 2**20),
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "500",
        "group.consumer.min.session.timeout.ms": "1000",
        "group.consumer.min.heartbeat.interval.ms": "250",
        "broker.session.timeout.ms": "6000",
        "broker.heartbeat.interval.ms": "1000",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
        "log.cleaner.dedupe.buffer.size": str(16 * 2**20),
        "log.cleaner.backoff.ms": "1000",
    }


@contextlib.contextmanager
def find_or_start(environ: Mapping[str, str]) -> Iterator["Broker"]:
    """Give the broker that `KAFKA_BOOTSTRAP` names, else start one that ends with the context."""
    if bootstrap := environ.get("KAFKA_BOOTSTRAP"):
        yield Broker(bootstrap, {"bootstrap.servers": bootstrap})
        return
    with Kafka() as kafka:
        yield Broker(kafka.bootstrap, kafka.client)


@dataclass(frozen=True)
class Broker:
    """Where a broker answers and the librdkafka settings to connect with."""

    bootstrap: str
    client: Mapping[str, str]


def _main() -> None:
    """Keep one broker running until Ctrl-C, for tests and trials that export what is printed."""
    with Kafka(heap="768m") as kafka, contextlib.suppress(KeyboardInterrupt):
        sys.stdout.write(f"export KAFKA_BOOTSTRAP={kafka.bootstrap}\n")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    _main()
