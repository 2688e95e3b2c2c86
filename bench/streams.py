"""Many streams in one process: how long until all are current, what they cost when nothing happens, and a takeover.

Connections of three vendors to one simulator, polled every 30 seconds. The floor is 50 bare producers, each after one
transaction, in a process of their own. Linux only.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import bare
import stream
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from figure import Figure
from process import alone, status
from states import States

from connector.config.load import load
from connector.events.record import Batch, Record, Tally
from connector.model.checkpoint import Checkpoint
from connector.simulator import Simulator
from connector.vendors import names
from connector.wiring import streams

_WITHIN = 600.0
_REST = 75.0  # the longest until an idle stream has let its producer go
_WATCHED = 30.0
_FLOOR = 50
_SECRETS = {"token", "api_key"}


class Cost(NamedTuple):
    """What a process takes."""

    cpu_percent: float
    megabytes: float
    threads: int
    descriptors: int


class Course(NamedTuple):
    """How a process with many streams fared: the seconds until all were current, and until another had taken over."""

    current: float
    taken_over: float
    idle: Cost
    peak_megabytes: float


def idle(pid: int, seconds: float) -> Cost:
    """Return what a process takes while it is watched."""
    begin, at = _ticks(pid), time.perf_counter()
    time.sleep(seconds)
    share = (_ticks(pid) - begin) / os.sysconf("SC_CLK_TCK") / (time.perf_counter() - at)
    said = status(pid)
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Cost(100 * share, _megabytes(said["VmRSS"]), int(said["Threads"]), descriptors)


def _ticks(pid: int) -> int:
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[11:13]))


def _megabytes(kilobytes: str) -> float:
    return int(kilobytes.split(maxsplit=1)[0]) / 1024


def producers(bootstrap: str, prefix: str, count: int) -> Cost:
    """Return what bare producers cost that have done one transaction each."""
    made = []
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 4})
    admin.create_topics([NewTopic(f"{prefix}.floor", 1, 1)])[f"{prefix}.floor"].result(30)
    for number in range(count):
        producer = bare.producer(bootstrap, f"{prefix}.floor-{number}")
        batch = Batch([Record(f"{prefix}.floor", b"k", b"v", [])], [], Checkpoint(stream="floor"), Tally())
        bare.commit(producer, batch, f"{prefix}.floor")
        made.append(producer)
    return idle(os.getpid(), _WATCHED)


class Fleet:
    """A configuration of many connections, and the processes that follow them."""

    def __init__(self, folder: Path, bootstrap: str, prefix: str) -> None:
        self._file = folder / "contentwire.toml"
        self._lines = ["[kafka]", f'bootstrap_servers = "{bootstrap}"', f'prefix = "{prefix}"', "partitions = 1"]
        self._environ = {**os.environ}
        self._bootstrap = bootstrap

    def add(self, name: str, settings: Mapping[str, str | int | float]) -> None:
        """Add a connection; its secrets come from the environment."""
        self._lines.append(f"[connections.{name}]")
        for key, value in settings.items():
            if key in _SECRETS:
                variable = f"{name}_{key}".replace("-", "_")
                self._environ[variable] = str(value)
                self._lines.append(f'{key} = {{ env = "{variable}" }}')
            else:
                self._lines.append(f"{key} = {json.dumps(value)}")
        self._file.write_text("\n".join(self._lines), encoding="utf-8")

    def states(self, only: Iterable[str] = ()) -> States:
        """Return a reader of what the streams, or only some of them, have committed."""
        wanted, config = set(only), load(self._file, self._environ)
        found = [one.layout.state_topic for one in streams(config) if not wanted or one.name in wanted]
        return States(self._bootstrap, found)

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Yield a process that follows the connections; it is ended in the end, if it still runs."""
        with subprocess.Popen(self._command("run", "--log-level", "warning"), env=self._environ) as process:
            try:
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(120)

    def do(self, *arguments: str) -> None:
        """Run a command beside them."""
        subprocess.run(self._command(*arguments), env=self._environ, check=True, stdout=subprocess.DEVNULL)

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "connector", "--config", str(self._file), *arguments]


def current(checkpoint: Checkpoint) -> bool:
    """Return whether a stream has its snapshot and what came after."""
    return checkpoint.position.phase == "streaming"


def follow(bootstrap: str, prefix: str, count: int) -> Course:
    """Return how a process with so many connections fares, and another that is started when it is killed."""
    with tempfile.TemporaryDirectory() as folder, Simulator(entries=20).serving() as simulator:
        fleet = Fleet(Path(folder), bootstrap, prefix)
        for number in range(count):
            vendor = names()[number % len(names())]
            fleet.add(f"c{number:04d}", {**simulator.connection(vendor), "vendor": vendor})
        with contextlib.closing(fleet.states()) as states:
            with fleet.running() as process:
                until_current = states.until(current, _WITHIN)
                time.sleep(_REST)
                cost = idle(process.pid, _WATCHED)
                peak = _megabytes(status(process.pid)["VmHWM"])
                process.kill()
            before = {checkpoint.stream: checkpoint.progress.sequence for checkpoint in states.last.values()}
            begin = time.perf_counter()
            simulator.edit(simulator.ids()[0])
            with fleet.running():
                states.until(lambda last: last.progress.sequence > before[last.stream], _WITHIN)
                return Course(until_current, time.perf_counter() - begin, cost, peak)


def _figures(count: int, course: Course, floor: Cost) -> list[Figure]:
    name = f"{count:,} streams"
    beside = floor if count == _FLOOR else Cost(0, 0, 0, 0)  # only as many producers are a measure
    against = f"{_FLOOR} bare producers"
    return [
        Figure(f"{name}: until all are current", course.current, "s"),
        Figure(f"{name}: killed, until another process has published for all", course.taken_over, "s"),
        Figure(f"{name}: peak memory", course.peak_megabytes, "MB"),
        Figure(f"{name}, idle: CPU of a core", course.idle.cpu_percent, "%", beside.cpu_percent, against),
        Figure(f"{name}, idle: memory", course.idle.megabytes, "MB", beside.megabytes, against),
        Figure(f"{name}, idle: threads", course.idle.threads, "", beside.threads, against),
        Figure(f"{name}, idle: descriptors", course.idle.descriptors, "", beside.descriptors, against),
    ]


def measure(bootstrap: str, counts: tuple[int, ...]) -> list[Figure]:
    """Return what many streams take to begin, to be, and to be taken over."""
    with stream.prefix(bootstrap) as prefix:
        floor = alone(producers, bootstrap, prefix, _FLOOR)
    figures = []
    for count in counts:
        with stream.prefix(bootstrap) as prefix:
            figures += _figures(count, alone(follow, bootstrap, prefix, count), floor)
    return figures
