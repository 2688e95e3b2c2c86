"""A deployment under test: a simulator, a configuration that follows it, and the processes that run it."""

import json
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self

import msgspec

from connector import wiring
from connector.clock import SYSTEM
from connector.commands import edits, takeover
from connector.config.load import load
from connector.config.settings import Config
from connector.config.tables import tables
from connector.demo.ledger import Ledger, Received
from connector.demo.proof import missing
from connector.devservers.broker import Broker
from connector.devservers.child import Child
from connector.kafka.cluster import Cluster
from connector.kafka.transaction import REAL_PRODUCER, ProducerFactory
from connector.service.metrics import Metrics
from connector.service.supervisor import RunOutcome, Supervisor
from connector.simulator import Simulator
from connector.stream.spec import Pace
from connector.vendors import names
from connector.verify.proof import verify
from connector.wiring import ConfiguredStream
from tests.cms import paged
from tests.faults import child
from tests.faults.child import Orders
from tests.faults.proof import prove, read

VENDORS = names()

SESSION_TIMEOUT = 1.5  # seconds; after it the group knows that a process is gone
KILLED = 256 - 9

_REPOSITORY = Path(__file__).parents[2]
_PAGE = 20
_PATIENCE = 60.0
_LOOK = 0.05

Edits = Callable[[Simulator], object]


class Process(Child):
    """A running `tests.faults.child`. `steps` are the steps it has taken, by stream."""

    def __init__(self, orders: Orders, folder: Path, environ: Mapping[str, str]) -> None:
        self._steps = Path(orders.steps)
        self.log = folder / "process.log"
        (folder / "orders.json").write_bytes(msgspec.json.encode(orders))
        command = [sys.executable, "-m", child.__name__, str(folder / "orders.json")]
        super().__init__(command, log=self.log, env=environ, folder=_REPOSITORY)

    @property
    def steps(self) -> dict[str, list[str]]:
        """The steps that each stream has taken so far."""
        taken: dict[str, list[str]] = {}
        for line in self._steps.read_text().splitlines():
            stream, _, step = line.partition(" ")
            taken.setdefault(stream, []).append(step)
        return taken

    def reach(self, step: str, streams: Iterable[str]) -> None:
        """Wait until these streams have taken the step."""
        deadline = time.monotonic() + _PATIENCE
        while not all(step in self.steps.get(stream, ()) for stream in streams):
            assert self.running, self.tail(40)
            assert time.monotonic() < deadline, f"{step} was never reached"
            time.sleep(_LOOK)

    def logged(self) -> list[dict[str, Any]]:
        """Return what it has logged so far, line by line."""
        return [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if _whole(line)]

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines with this event."""
        return [logged for logged in self.logged() if logged["event"] == event]

    def finish(self) -> None:
        """Wait until it has ended by itself, all streams current."""
        assert self.wait(_PATIENCE) == 0, self.tail(40)

    def die(self) -> None:
        """Wait until it has killed itself, as ordered."""
        assert self.wait(_PATIENCE) == KILLED, self.tail(40)


class Deployment:
    """A connection for each of `vendors`, named after the vendor; a context manager that leaves no process behind.

    Pages and transactions are small by default, so little content has many of both. `kafka` and `connection` are
    further settings of `[kafka]` and of every connection. The proof reads from `reader`, if that is another route to
    the broker.
    """

    def __init__(
        self,
        broker: Broker,
        prefix: str,
        folder: Path,
        *,
        reader: Broker | None = None,
        vendors: Sequence[str] = VENDORS,
        entries: int = 60,
        content_types: int = 4,
        kafka: Mapping[str, Any] | None = None,
        connection: Mapping[str, Any] | None = None,
    ) -> None:
        self.prefix, self.vendors = prefix, vendors
        self.client = dict((reader or broker).client)
        self.simulator = Simulator(
            seed=7, entries=entries, content_types=content_types, page_sizes=dict.fromkeys(vendors, _PAGE)
        )
        self.ledgers = {vendor: Ledger(self.simulator, vendor) for vendor in vendors}
        self._folder = folder
        self._stack = ExitStack()
        self._kafka = {"bootstrap_servers": broker.bootstrap, "prefix": prefix, **_SMALL, **(kafka or {})}
        self._kafka["client"] = {**_QUICK, **self._kafka.get("client", {})}
        self._connection = {"poll_interval": 0.2, **(connection or {})}
        self._environ: dict[str, str] = {}
        self._spawned = 0

    def __enter__(self) -> Self:
        self._stack.enter_context(self.simulator.serving())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def configuration(self, vendors: Sequence[str] | None = None) -> Path:
        """Write the configuration file, with only the connections of `vendors`; return its path."""
        lines = ["[kafka]", *_table(self._kafka)]
        for vendor in vendors or self.vendors:
            table, environ = tables({vendor: self.simulator.connection(vendor)})
            self._environ.update(environ)
            lines += ["", table, *_table({**paged(vendor, _PAGE), **self._connection})]
        path = self._folder / f"contentwire-{len(vendors or self.vendors)}.toml"
        path.write_text("\n".join(lines) + "\n")
        return path

    def config(self) -> Config:
        """Return the validated configuration."""
        return load(self.configuration(), self._environ)

    def spawn(self, *, vendors: Sequence[str] | None = None, **orders: Any) -> Process:
        """Start a process with these orders; it ends with the deployment at the latest."""
        self._spawned += 1
        folder = self._folder / f"process-{self._spawned}"
        folder.mkdir()
        (folder / "steps").touch()
        given = Orders(config=str(self.configuration(vendors)), steps=str(folder / "steps"), **orders)
        return self._stack.enter_context(Process(given, folder, {**os.environ, **self._environ}))

    def follow(self, *, producer: ProducerFactory = REAL_PRODUCER) -> None:
        """Follow every stream in this process until it is current."""
        assert self.try_to_follow(producer=producer) == "current"

    def try_to_follow(self, *, producer: ProducerFactory = REAL_PRODUCER) -> RunOutcome:
        """Follow every stream in this process until it is current or cannot become so."""
        config = self.config()
        streams = wiring.streams(config)
        specs = [msgspec.structs.replace(each.spec(producer=producer), pace=_PACE) for each in streams]
        supervisor = Supervisor(specs, config.kafka.properties(), self.prefix, Metrics(), clock=SYSTEM, once=True)
        supervisor.give_up_after = _PATIENCE
        return supervisor.run([stream.layout.state_spec() for stream in streams])

    def differences(self, vendor: str) -> int:
        """Return on how many keys `contentwire verify` sees the CMS and the topic disagree."""
        stream = ConfiguredStream(self.config(), vendor)
        report = verify(stream, shallow=False, progress=lambda *_: None)
        return len(report.differences)

    def snapshot_all(self, vendor: str) -> None:
        """Do what `contentwire snapshot NAME --all` does."""
        stream = ConfiguredStream(self.config(), vendor)
        takeover.take_over(stream, partial(edits.snapshot, republish="all", allow_deletes=False))

    def snapshot_rows(self, vendor: str) -> None:
        """Do what `contentwire snapshot NAME --tables` does."""
        stream = ConfiguredStream(self.config(), vendor)
        takeover.take_over(stream, partial(edits.snapshot, republish=None, allow_deletes=False, rows=True))

    def change(self, edits: Edits) -> None:
        """Change content, and note what each stream must publish."""
        edits(self.simulator)
        for ledger in self.ledgers.values():
            ledger.note()

    def arrive(self, timeout: float = _PATIENCE) -> None:
        """Wait until every noted change has arrived in Kafka; fail after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        waiting = dict(self.ledgers)
        while waiting:
            for vendor, ledger in list(waiting.items()):
                if not missing(read(self.client, self.topic(vendor)), ledger.account()):
                    del waiting[vendor]
            assert not waiting or time.monotonic() < deadline, f"{', '.join(waiting)}: not there in {timeout:.1f} s"

    def phases(self) -> dict[str, str | None]:
        """Return the committed phase of every stream."""
        cluster = Cluster(self.client, clock=SYSTEM)
        found = {vendor: cluster.last_checkpoint(f"{self.prefix}.{vendor}.state", vendor) for vendor in self.vendors}
        return {vendor: checkpoint.position.phase if checkpoint else None for vendor, checkpoint in found.items()}

    def topic(self, vendor: str) -> str:
        """Return the name of a stream's changes topic."""
        return f"{self.prefix}.{vendor}.changes"

    def prove(self, *, cut_short: Collection[str] = ()) -> dict[str, list[Received]]:
        """Prove every stream, by the ledger and by `contentwire verify`; return its records.

        `cut_short`: the vendors whose initial sync ended early.
        """
        proved = {
            vendor: prove(self.client, self.topic(vendor), ledger, cut_short=vendor in cut_short)
            for vendor, ledger in self.ledgers.items()
        }
        assert [vendor for vendor in self.vendors if self.differences(vendor)] == [], "verify sees differences"
        return proved


def everyday(simulator: Simulator) -> None:
    """Make changes of every kind, each entity once: enough for several pages and transactions."""
    entries = simulator.ids()
    for one in entries[:3]:
        simulator.delete(one)
    for one in entries[3:6]:
        simulator.unpublish(one)
    for one in entries[6:36]:
        simulator.edit(one)
    for _ in range(5):
        simulator.publish()
    simulator.edit(simulator.ids("asset")[0])


def pick(steps: Mapping[str, Sequence[str]], what: str, which: int) -> dict[str, str]:
    """Return for each stream the step called `what` at place `which` (from 0, or from the end)."""
    chosen = {stream: [step for step in taken if step.partition(":")[0] == what] for stream, taken in steps.items()}
    return {stream: found[which] for stream, found in chosen.items() if len(found) > abs(which)}


# Pauses after errors are short: the tests are about what follows them.
_PACE = Pace(first_pause=0.1, longest_pause=0.5, model_again=0.5)
_SMALL = {"commit_items": 30, "commit_interval": 30.0, "partitions": 2}
_QUICK = {
    "session.timeout.ms": round(SESSION_TIMEOUT * 1000),
    "heartbeat.interval.ms": 400,
    # A broker that comes back is noticed at once.
    "reconnect.backoff.max.ms": 500,
}


def _whole(line: str) -> bool:
    # The client library writes its own lines between ours; the last line may be incomplete.
    return line.startswith("{") and line.endswith("}\n")


def _table(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            inner = ", ".join(f'"{key}" = {json.dumps(item)}' for key, item in value.items())
            yield f"{name} = {{ {inner} }}"
        else:
            yield f"{name} = {json.dumps(value)}"
