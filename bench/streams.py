"""Many streams in one process: how long until all are ready, and what they cost when nothing happens.

Connections of three vendors to one simulator, polled every 30 seconds. The floor is as many bare producers, each after
one transaction, in a process of their own. Linux only.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import bare
import stream
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from figure import Figure
from process import alone, status

from connector.events.record import Batch, Record, Tally
from connector.model.checkpoint import Checkpoint
from connector.simulator import Simulator
from connector.vendors import names

_READY_WITHIN = 600.0
_REST = 75.0  # the longest until an idle stream has let its producer go
_WATCHED = 30.0
_SECRETS = {"token", "api_key"}


class Cost(NamedTuple):
    """What a process takes."""

    cpu_percent: float
    megabytes: float
    threads: int
    descriptors: int


def idle(pid: int, seconds: float) -> Cost:
    """Return what a process takes while it is watched."""
    begin, at = _ticks(pid), time.perf_counter()
    time.sleep(seconds)
    share = (_ticks(pid) - begin) / os.sysconf("SC_CLK_TCK") / (time.perf_counter() - at)
    said = status(pid)
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Cost(100 * share, int(said["VmRSS"].split()[0]) / 1024, int(said["Threads"]), descriptors)


def _ticks(pid: int) -> int:
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[11:13]))


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


def configuration(simulator: Simulator, bootstrap: str, prefix: str, port: int, count: int) -> str:
    """Return the file of a process with so many connections."""
    lines = ["[kafka]", f'bootstrap_servers = "{bootstrap}"', f'prefix = "{prefix}"', "partitions = 1"]
    lines += ["[server]", f'listen = "127.0.0.1:{port}"']
    for number in range(count):
        vendor = names()[number % len(names())]
        lines.append(f"[connections.c{number:04d}]")
        for key, value in {**simulator.connection(vendor), "vendor": vendor}.items():
            lines.append(f'{key} = {{ env = "{vendor}_{key}" }}' if key in _SECRETS else f'{key} = "{value}"')
    return "\n".join(lines)


def ready(port: int) -> bool:
    """Return whether a process says that all of its streams are ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except (urllib.error.URLError, OSError):
        return False


def follow(bootstrap: str, prefix: str, count: int) -> tuple[float, Cost]:
    """Return the seconds until a process with so many connections was ready, and what it costs when idle."""
    with tempfile.TemporaryDirectory() as folder, Simulator(entries=20).serving() as simulator:
        with socket.create_server(("127.0.0.1", 0)) as found:
            port = int(found.getsockname()[1])
        file = Path(folder) / "contentwire.toml"
        file.write_text(configuration(simulator, bootstrap, prefix, port, count))
        secrets = {
            f"{vendor}_{key}": value for vendor in names() for key, value in simulator.connection(vendor).items()
        }
        command = [sys.executable, "-m", "connector", "--config", str(file), "run", "--log-level", "warning"]
        with subprocess.Popen(command, env={**os.environ, **secrets}) as running:
            try:
                begin = time.perf_counter()
                while not ready(port):
                    if time.perf_counter() - begin > _READY_WITHIN or running.poll() is not None:
                        raise RuntimeError("the streams did not become ready")
                    time.sleep(0.25)
                taken = time.perf_counter() - begin
                time.sleep(_REST)
                return taken, idle(running.pid, _WATCHED)
            finally:
                running.send_signal(signal.SIGTERM)
                running.wait(120)


def measure(bootstrap: str, counts: tuple[int, ...] = (50, 200)) -> list[Figure]:
    """Return what many streams take to begin, and to be."""
    figures = []
    for count in counts:
        with stream.prefix(bootstrap) as prefix:
            floor = alone(producers, bootstrap, prefix, count)
        with stream.prefix(bootstrap) as prefix:
            taken, cost = alone(follow, bootstrap, prefix, count)
        name = f"{count} streams"
        figures += [
            Figure(f"{name}: until all are ready", taken, "s"),
            Figure(f"{name}, idle: CPU of a core", cost.cpu_percent, "%", floor.cpu_percent, "bare producers"),
            Figure(f"{name}, idle: memory", cost.megabytes, "MB", floor.megabytes, "bare producers"),
            Figure(f"{name}, idle: threads", cost.threads, "", floor.threads, "bare producers"),
            Figure(f"{name}, idle: descriptors", cost.descriptors, "", floor.descriptors, "bare producers"),
        ]
    return figures
