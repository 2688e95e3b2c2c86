"""The only broker is gone for a while, under two processes that share the streams: both live, and both say so."""

import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connector.clock import SYSTEM
from connector.devservers.broker import Kafka
from connector.kafka.cluster import Cluster
from connector.simulator import Simulator
from connector.vendors import names
from tests.cms import eventually
from tests.command import Running, Workplace, following
from tests.ports import free_port

VENDORS = names()
PATIENCE = 90.0


def asked(port: int, path: str) -> tuple[int, Any]:
    """Return the status and JSON that a process answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)
    except urllib.error.URLError:
        return 0, None  # it has not opened its port yet


def series(port: int, name: str) -> list[str]:
    """Return the lines of a metric, of whatever labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines: list[str] = answer.read().decode().splitlines()
    return [line for line in lines if line.startswith(f"{name}{{")]


def states(port: int) -> set[str]:
    """Return the states that a process's metric says its streams are in."""
    told = [line for line in series(port, "contentwire_stream_state") if line.endswith(" 1.0")]
    return {line.partition('state="')[2].partition('"')[0] for line in told}


def values(port: int, name: str) -> list[float]:
    """Return the values of a metric, of whatever labels."""
    return [float(line.split()[-1]) for line in series(port, name)]


class Quiet:
    """Whether every stream is current, and none has committed anything, reports included, for three seconds."""

    def __init__(self, broker: Kafka, prefix: str, ports: list[int]) -> None:
        self._cluster = Cluster(broker.client, clock=SYSTEM)
        self._topics = [f"{prefix}.{vendor}.state" for vendor in VENDORS]
        self._ports = ports
        self._ends: list[int] = []
        self._since = time.monotonic()

    def __call__(self) -> bool:
        """Look; MUST be called again and again."""
        ends = [self._cluster.end(topic) for topic in self._topics]
        if ends != self._ends:
            self._ends, self._since = ends, time.monotonic()
        lags = [lag for port in self._ports for lag in values(port, "contentwire_lag_seconds")]
        return len(lags) == len(VENDORS) and max(lags) < 2 and time.monotonic() - self._since > 3


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Give a served simulator."""
    with Simulator(entries=30).serving() as serving:
        yield serving


def known(workplace: Workplace, vendor: str) -> bool:
    """Return whether a stream's checkpoint can be seen."""
    return workplace.run("checkpoints", "show", vendor).code == 0


def workplaces(folder: Path, simulator: Simulator, broker: Kafka, prefix: str) -> list[tuple[Workplace, int]]:
    """Return two places with one configuration but for their ports."""
    made = []
    for name in ("one", "two"):
        place, port = folder / name, free_port()
        place.mkdir()
        workplace = following(place, simulator, VENDORS, bootstrap=broker.bootstrap, prefix=prefix)
        workplace.edit(r"\Z", f'\n[server]\nlisten = "127.0.0.1:{port}"\n')
        made.append((workplace, port))
    return made


@pytest.mark.alone
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("seconds", "times"),
    [
        (15, 1),
        pytest.param(40, 5, marks=pytest.mark.faults),
        pytest.param(120, 5, marks=pytest.mark.faults),
    ],
)
def test_an_outage_ends_no_process_and_is_no_peace(
    own_kafka: Kafka, prefix: str, tmp_path: Path, simulator: Simulator, *, seconds: int, times: int
) -> None:
    """Every stream is `disconnected` meanwhile, for probes and metrics too; afterwards `verify` proves all of them."""
    places = workplaces(tmp_path, simulator, own_kafka, prefix)
    ports = [port for _, port in places]
    with ExitStack() as stack:
        running: list[Running] = [stack.enter_context(each.start("run")) for each, _ in places]
        for _ in range(times):
            eventually(lambda: all(asked(port, "/readyz")[0] == 200 for port in ports), within=PATIENCE)
            eventually(lambda: states(ports[0]) | states(ports[1]) == {"running", "standby"}, within=PATIENCE)
            # A broker alone that is killed at once after a commit may never end it (docs/guarantees.md).
            eventually(Quiet(own_kafka, prefix, ports), within=PATIENCE)
            own_kafka.kill()
            gone_at = time.monotonic()
            eventually(lambda: states(ports[0]) == states(ports[1]) == {"disconnected"}, within=30)
            for port in ports:
                status, told = asked(port, "/readyz")
                assert (status, set(told["waiting"])) == (503, set(VENDORS))
                assert all("did not answer" in why for why in told["waiting"].values())
                assert asked(port, "/healthz")[0] == 200
            simulator.churn(5)
            time.sleep(max(seconds - (time.monotonic() - gone_at), 0))  # the fault itself, not a synchronisation
            own_kafka.start()
        eventually(lambda: all(asked(port, "/readyz")[0] == 200 for port in ports), within=PATIENCE)
        eventually(lambda: states(ports[0]) | states(ports[1]) == {"running", "standby"}, within=PATIENCE)
        for vendor in VENDORS:
            # A broker that has just started lists its topics one by one.
            eventually(partial(known, places[0][0], vendor), within=PATIENCE)
            proof = places[0][0].run("verify", vendor)
            assert proof.code == 0, proof
        ended = [each.ends(signal.SIGTERM) for each in running]
    assert [each.code for each in ended] == [143, 143]
    for each in ended:
        assert each.err.count("Kafka does not answer") >= times
        assert "Kafka answers again" in each.err
