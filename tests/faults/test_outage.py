"""The only broker is gone for a while, with two processes sharing the streams: both survive, and both report it."""

import json
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connector.devservers.broker import Kafka
from connector.simulator import Simulator
from connector.vendors import names
from tests.cms import eventually
from tests.command import Running, Workplace, following
from tests.faults.evidence import kept
from tests.faults.frames import transactions
from tests.ports import free_port

VENDORS = names()
PATIENCE = 90.0

_STATE = re.compile('connection="(?P<connection>[^"]+)",state="(?P<state>[^"]+)"')


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
    """Return the lines of a metric, whatever their labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines: list[str] = answer.read().decode().splitlines()
    return [line for line in lines if line.startswith(f"{name}{{")]


def states(port: int) -> dict[str, str]:
    """Return the state of each stream according to a process's metric."""
    labels = [_STATE.search(line) for line in series(port, "contentwire_stream_state") if line.endswith(" 1.0")]
    return {found["connection"]: found["state"] for found in labels if found}


def followed(ports: Sequence[int]) -> bool:
    """Return whether each stream runs in one of two processes and is on standby in the other."""
    seen = [states(port) for port in ports]
    return all(sorted(each.get(vendor, "") for each in seen) == ["running", "standby"] for vendor in VENDORS)


def disconnected(ports: Sequence[int]) -> bool:
    """Return whether every process reports each stream as disconnected."""
    return all(states(port) == dict.fromkeys(VENDORS, "disconnected") for port in ports)


@contextmanager
def frozen(running: Sequence[Running]) -> Iterator[None]:
    """Freeze these processes."""
    for each in running:
        each.child.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for each in running:
            each.child.send_signal(signal.SIGCONT)


def settled(broker: Kafka, prefix: str) -> bool:
    """Return whether every transaction of these streams has ended, and is so marked in each of its partitions."""
    found = {state for name, state in transactions(broker.bootstrap).items() if name.startswith(f"{prefix}.")}
    return found <= {"Empty", "CompleteCommit", "CompleteAbort"}


def killed(broker: Kafka, prefix: str, running: Sequence[Running]) -> bool:
    """Kill the broker between two transactions; return whether there was such a moment.

    A single broker that is killed while one ends may never end it (docs/guarantees.md). The streams are frozen for
    the check and the kill: whatever they do next, they do to a broker that is gone.
    """
    if not settled(broker, prefix):
        return False
    with frozen(running):
        if settled(broker, prefix):
            broker.kill()
            return True
    return False


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Yield a served simulator."""
    with Simulator(entries=30).serving() as serving:
        yield serving


def proven(workplace: Workplace, vendor: str) -> bool:
    """Return whether a stream's topic equals its CMS."""
    return workplace.run("verify", vendor).code == 0


def workplaces(folder: Path, simulator: Simulator, broker: Kafka, prefix: str) -> list[tuple[Workplace, int]]:
    """Return two places with one configuration, except for their ports."""
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
def test_an_outage_ends_no_process_and_is_visible(
    own_kafka: Kafka, prefix: str, tmp_path: Path, simulator: Simulator, *, seconds: int, times: int
) -> None:
    """Every stream is `disconnected` meanwhile, for probes and metrics too; afterwards `verify` proves all of them."""
    places = workplaces(tmp_path, simulator, own_kafka, prefix)
    ports = [port for _, port in places]
    facts = {f"process-{port}": partial(states, port) for port in ports}
    proofs = {f"verify-{vendor}": partial(places[0][0].run, "verify", vendor) for vendor in VENDORS}
    with ExitStack() as stack:
        running: list[Running] = [stack.enter_context(each.start("run")) for each, _ in places]
        stack.enter_context(kept(tmp_path / "evidence", own_kafka, {**facts, **proofs}))
        for _ in range(times):
            eventually(lambda: all(asked(port, "/readyz")[0] == 200 for port in ports), within=PATIENCE)
            eventually(partial(followed, ports), within=PATIENCE)
            eventually(partial(killed, own_kafka, prefix, running), within=PATIENCE)
            gone_at = time.monotonic()
            eventually(partial(disconnected, ports), within=30)
            for port in ports:
                status, answer = asked(port, "/readyz")
                assert (status, set(answer["waiting"])) == (503, set(VENDORS))
                assert all("did not answer" in why for why in answer["waiting"].values())
                assert asked(port, "/healthz")[0] == 200
            simulator.churn(5)
            time.sleep(max(seconds - (time.monotonic() - gone_at), 0))  # the fault itself, not a synchronisation
            own_kafka.start()
        eventually(lambda: all(asked(port, "/readyz")[0] == 200 for port in ports), within=PATIENCE)
        eventually(partial(followed, ports), within=PATIENCE)
        for vendor in VENDORS:
            # One attempt waits for the stream's next walk; the walk after an outage may be slow on a busy machine.
            eventually(partial(proven, places[0][0], vendor), within=PATIENCE)
        ended = [each.ends(signal.SIGTERM) for each in running]
    assert [each.code for each in ended] == [143, 143]
    for each in ended:
        assert each.err.count("Kafka does not answer") >= times
        assert "Kafka answers again" in each.err
