"""The command line at work: the real command in child processes, the real broker, simulated CMSs."""

import json
import signal
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.devservers.broker import Broker
from connector.simulator import Fault, Simulator
from connector.vendors import names
from tests.command import COMMAND, Workplace, WorkplaceOf
from tests.scripted import ONCE

VENDORS = names()
ALL = ("--from-beginning", "--until-end", "--json")


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Yield a served simulator with small pages."""
    with Simulator(entries=60, page_sizes=dict.fromkeys(VENDORS, 10)).serving() as served:
        yield served


def _sequences(entries: list[Any]) -> list[int]:
    return sorted(entry["value"]["source"]["sequence"] for entry in entries if entry["value"])


def _contiguous(entries: list[Any]) -> bool:
    found = _sequences(entries)
    return found == list(range(1, len(found) + 1))


def _live(entries: list[Any]) -> set[tuple[str, str, str]]:
    """Return the keys left once every record is applied; the order within a key is its partition's."""
    live = {}
    for entry in entries:
        key = entry["key"]
        live[key["entity_type"], key["id"], key["locale"]] = bool(entry["value"]) and entry["value"]["op"] != "d"
    return {key for key, is_live in live.items() if is_live}


def _truth(simulator: Simulator, vendor: str) -> set[tuple[str, str, str]]:
    return {(each.entity_type, each.id, each.locale) for each in simulator.truth(vendor)}


def _checkpoint(workplace: Workplace, connection: str) -> Any:
    return workplace.value("checkpoints", "export", connection)


def test_a_pass_over_three_vendors_can_be_followed_with_every_command(
    workplace_of: WorkplaceOf, simulator: Simulator, registry: str
) -> None:
    """`check`, `run`, `status` and `tail` agree with the CMSs; topics by locale and type; a registry's schemas."""
    template = 'topic = "{prefix}.{connection}.{entity_type}.{locale}"'
    workplace = workplace_of(*VENDORS, kafka_lines=f'{template}\nregistry = {{ url = "{registry}" }}')
    assert workplace.run("check").code == 0
    assert workplace.run(*ONCE) == (0, "", "")
    streams = {stream["connection"]: stream for stream in workplace.value("status", "--json")}
    for vendor in VENDORS:
        entries = workplace.lines("tail", vendor, *ALL)
        assert _live(entries) == _truth(simulator, vendor)
        assert _contiguous(entries)
        checkpoint = streams[vendor]["checkpoint"]
        assert (checkpoint["phase"], checkpoint["sequence"]) == ("streaming", len(_sequences(entries)))
        assert streams[vendor]["owner"] is None
    assert workplace.run("check").code == 0
    assert workplace.run("schemas", "check").code == 0


def test_tail_shows_lines_that_people_read(workplace_of: WorkplaceOf, simulator: Simulator) -> None:
    """Op, table, id and locale of events as they arrive, removals with their tombstones; --limit ends it."""
    workplace = workplace_of("contentful")
    before = workplace.run("tail", "contentful", *ALL)
    assert (before.code, before.out) == (0, "")
    assert "there are no events yet" in before.err
    assert workplace.run(*ONCE).code == 0
    gone, *_ = simulator.ids()
    with workplace.start("tail", "contentful", "--limit", "2") as tail, workplace.start("run") as run:
        assert run.said('"recovered"')
        while tail.goes_on():
            # Until `tail` has found the end of the topic, it may miss what arrives.
            simulator.publish(id=gone)
            simulator.delete(gone)
        lines = [line.split() for line in tail.ends().out.splitlines()]
    assert len(lines) == 2
    assert {gone} == {line[2] for line in lines}
    assert {line[0] for line in lines} <= {"c", "d", "t", "u"}


def test_a_reader_that_closes_the_pipe_ends_tail_quietly(workplace_of: WorkplaceOf) -> None:
    """A pipe that is closed early is not an error and gives no traceback."""
    workplace = workplace_of("contentful")
    assert workplace.run(*ONCE).code == 0
    command = [*COMMAND, "tail", "contentful", "--from-beginning", "--until-end", "--json"]
    shell = f"set -o pipefail; {subprocess.list2cmdline(command)} | head -n 1"
    environ = {"PYTHONPATH": str(Path(__file__).parents[2]), **workplace.environ, "PATH": "/usr/bin:/bin"}
    ended = subprocess.run(["bash", "-c", shell], cwd=workplace.folder, env=environ, capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert json.loads(ended.stdout)["partition"] >= 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_a_snapshot_loses_and_repeats_nothing(
    workplace_of: WorkplaceOf, simulator: Simulator, number: signal.Signals, code: int
) -> None:
    """A page that hangs does not delay the end beyond ten seconds; the next run continues where this one stopped."""
    workplace = workplace_of("contentstack", kafka_lines="commit_items = 10")
    simulator.push_fault("contentstack", Fault("hang", on="cursor", after=3))
    with workplace.start("run") as run:
        assert run.said('"committed"', times=3)
        stopper = threading.Timer(10, run.child.kill)
        stopper.start()
        ended = run.ends(number)
        stopper.cancel()
    assert ended.code == code
    assert "Traceback" not in ended.err
    simulator.clear_faults()
    committed = _sequences(workplace.lines("tail", "contentstack", *ALL))
    assert workplace.run(*ONCE).code == 0
    entries = workplace.lines("tail", "contentstack", *ALL)
    assert 0 < len(committed) < len(entries)
    assert _contiguous(entries)
    assert Counter(entry["value"]["event_id"] for entry in entries if entry["value"]).most_common(1)[0][1] == 1
    assert _live(entries) == _truth(simulator, "contentstack")


def test_a_second_signal_ends_at_once_and_safely(workplace_of: WorkplaceOf, simulator: Simulator) -> None:
    """Impatience does no harm: the exit code is the signal's, and the next run publishes everything once."""
    left = '{ "session.timeout.ms" = 1500, "heartbeat.interval.ms" = 500 }'
    workplace = workplace_of("contentful", kafka_lines=f"commit_items = 10\nclient = {left}")
    with workplace.start("run") as run:
        assert run.said('"committed"')
        ended = run.ends(signal.SIGTERM, signal.SIGINT)
    assert ended.code in {130, 143}
    assert "streams handed over" not in ended.err
    assert workplace.run(*ONCE).code == 0
    entries = workplace.lines("tail", "contentful", *ALL)
    assert _contiguous(entries)
    assert _live(entries) == _truth(simulator, "contentful")


@pytest.mark.alone
def test_a_signal_while_the_broker_is_awaited_ends_at_once(workplace_of: WorkplaceOf) -> None:
    """Nothing has begun that has to be finished."""
    workplace = workplace_of("contentful")
    workplace.edit("bootstrap_servers = .*", 'bootstrap_servers = "127.0.0.1:1"')
    workplace.edit(r"\Z", '[server]\nlisten = "127.0.0.1:0"\n')
    with workplace.start("run") as run:
        assert run.said('"listening"')
        signalled_at = time.monotonic()
        assert run.ends(signal.SIGTERM).code == 143
    assert time.monotonic() - signalled_at < 5


def test_operators_can_command_a_running_stream(workplace_of: WorkplaceOf, simulator: Simulator) -> None:
    """The owner notices pause, resume, snapshot, reset and import, and obeys; sequence and epoch never decrease."""
    workplace = workplace_of(*VENDORS)
    with workplace.start("run") as run:
        assert [workplace.reached(vendor, epoch=1)["stream"] for vendor in VENDORS] == list(VENDORS)
        assert "paused" in workplace.run("pause", "contentful").out
        first = _checkpoint(workplace, "weegloo")
        (workplace.folder / "cp.json").write_text(json.dumps(first))
        assert workplace.run("snapshot", "weegloo", "--all").code == 0
        assert workplace.run("checkpoints", "reset", "contentstack", "--yes").code == 0
        assert run.said('"recovered"', times=6)
        paused, again = _checkpoint(workplace, "contentful"), workplace.reached("weegloo", epoch=2)
        assert again["sequence"] == 2 * first["sequence"]
        assert workplace.reached("contentstack", epoch=2)["phase"] == "streaming"
        one = simulator.edit(simulator.ids()[0])
        assert _checkpoint(workplace, "contentful")["sequence"] == paused["sequence"]
        assert workplace.run("resume", "contentful").code == 0
        assert workplace.run("checkpoints", "import", "weegloo", "cp.json").code == 0
        assert run.said('"recovered"', times=8)
        owner = workplace.value("status", "--json")[0]["owner"]
        assert owner["client_id"].startswith("contentwire-")
        assert run.ends(signal.SIGTERM).code == 143
    assert workplace.run(*ONCE).code == 0
    last = _checkpoint(workplace, "weegloo")
    assert (last["epoch"], last["sequence"] >= again["sequence"]) == (2, True)
    for vendor in VENDORS:
        entries = workplace.lines("tail", vendor, *ALL)
        assert _contiguous(entries)
        assert _live(entries) == _truth(simulator, vendor)
    edited = [entry for entry in workplace.lines("tail", "contentful", *ALL) if entry["key"]["id"] == one]
    assert len(edited) == 2


def test_a_stream_can_begin_at_a_cursor(workplace_of: WorkplaceOf, simulator: Simulator) -> None:
    """`checkpoints import --cursor` starts a stream that has never run where another tool has stopped reading."""
    workplace = workplace_of("contentful")
    assert workplace.run(*ONCE).code == 0
    cursor = _checkpoint(workplace, "contentful")["cursor"]
    one = simulator.publish()
    workplace.edit('prefix = "', 'prefix = "x')
    assert workplace.run("checkpoints", "import", "contentful", "--cursor", cursor).code == 0
    assert workplace.run(*ONCE).code == 0
    (event,) = workplace.lines("tail", "contentful", *ALL)
    assert (event["key"]["id"], event["value"]["op"], event["value"]["origin"]) == (one, "c", "delta")


def test_dead_letters_are_listed_with_their_reason(workplace_of: WorkplaceOf, simulator: Simulator) -> None:
    """Text says what is wrong, never the content; --json shows the item as delivered."""
    workplace = workplace_of("contentful")
    item = '{"sys": {"id": "bad1", "type": "Gadget"}, "weight": 1.10}'
    simulator.push_fault("contentful", Fault("malformed_item", item=item))
    assert workplace.run(*ONCE).code == 0
    listed = workplace.run("dead-letters", "contentful").out
    assert "bad1" in listed
    assert "1.10" not in listed
    (letter,) = workplace.lines("dead-letters", "contentful", "--json", "--limit", "1")
    assert letter["value"]["error"] == "MalformedItem"
    assert letter["value"]["raw"] == item


def test_the_port_shows_the_streams(workplace_of: WorkplaceOf) -> None:
    """With [server], a run answers for its streams while it works."""
    workplace = workplace_of("contentful")
    workplace.edit(r"\Z", '[server]\nlisten = "127.0.0.1:0"\n')
    with workplace.start("run") as run:
        assert run.said('"listening"')
        assert run.said('"committed"')
        log = (workplace.folder / "1.log").read_text()
        port = next(json.loads(line)["port"] for line in log.splitlines() if '"listening"' in line)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert 'contentwire_events_total{connection="contentful"' in answer.read().decode()
        assert run.ends(signal.SIGINT).code == 130


def test_simulate_prints_what_can_be_followed(tmp_path: Path, kafka: Broker, prefix: str) -> None:
    """Its output, with the secrets it names exported, is a configuration's connections; Ctrl-C ends it."""
    workplace = Workplace(tmp_path, {}, prefix)
    with workplace.start("simulate", "--port", "0", "--entries", "20") as simulate:
        assert simulate.child.stdout
        text = ""
        while text.count("base_url") < len(VENDORS):
            text += simulate.child.stdout.readline()
        exports = [line.removeprefix("# export ") for line in text.splitlines() if line.startswith("# export ")]
        workplace.environ = dict(line.split("=", 1) for line in exports)
        workplace.write(f'[kafka]\nbootstrap_servers = "{kafka.bootstrap}"\nprefix = "{prefix}"\n{text}')
        assert workplace.run("check").code == 0
        assert simulate.ends(signal.SIGINT).code == 130


def test_log_lines_are_for_machines_unless_asked(workplace_of: WorkplaceOf) -> None:
    """Without a terminal each line of `run` is JSON; --log-format text is for people."""
    workplace = workplace_of("contentful")
    lines = workplace.run("run", "--until-caught-up").err.splitlines()
    assert all("event" in json.loads(line) for line in lines)
    text = workplace.run("run", "--until-caught-up", "--log-format", "text").err
    assert "recovered" in text
    assert not text.startswith("{")
