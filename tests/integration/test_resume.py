"""`resume` at work: it waits for the owner's report, by the order of the log and not by clocks."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import certifi
import pytest

from connector.commands import edits, status, takeover
from connector.config.load import load
from connector.wiring import ConfiguredStream
from tests.cms import eventually
from tests.command import COMMAND, Workplace
from tests.scripted import ITEM, ONCE, Place, case, revisions, served


@contextmanager
def running(workplace: Workplace, *, ahead: int = 0) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the connector on a machine whose clock is some seconds ahead of ours."""
    clock = f"import time; ns, s = time.time_ns, time.time; time.time_ns = lambda: ns() + {ahead} * 10**9; "
    program = f"{clock}time.time = lambda: s() + {ahead}; import sys; sys.argv[0] = 'contentwire'; "
    command = [COMMAND[0], "-c", f"{program}from connector.__main__ import main; main()", "run"]
    with (workplace.folder / "run.log").open("w") as log:
        child = subprocess.Popen(command, cwd=workplace.folder, env=workplace._environ(), stderr=log)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGCONT)
        child.terminate()
        child.wait(30)


def status_of(workplace: Workplace) -> Any:
    """Return what `status` reports of the stream."""
    (stream,) = json.loads(workplace.run("status", "--json").out)
    return stream


def reported(workplace: Workplace) -> str:
    """Return the state that the stream's owner has reported last."""
    return str((status_of(workplace)["report"] or {}).get("state", ""))


def state(workplace: Workplace) -> str:
    """Return the state that the stream is in."""
    return str(status_of(workplace)["state"])


@pytest.mark.parametrize("ahead", [-3600, 3600])
def test_the_report_of_an_owner_with_another_clock_counts(place: Place, ahead: int) -> None:
    """Reports from before the command do not count, later ones do, whatever its clock shows."""
    with served(case(ITEM)) as cms:
        # Frozen briefly, the owner stays the owner.
        workplace = place(cms, tables='client = { "session.timeout.ms" = "45000" }')
        stream = ConfiguredStream(load(workplace.path, workplace.environ), "blog")
        with running(workplace, ahead=ahead) as owner:
            eventually(lambda: state(workplace) == "running", within=40)
            before = status.state_end(stream)
            assert workplace.run("pause", "blog").code == 0
            eventually(lambda: reported(workplace) == "paused", within=30)
            owner.send_signal(signal.SIGSTOP)
            command = takeover.take_over(stream, edits.resume)
            heard = partial(status.outcome, stream, before, command.committed_at)
            assert heard(timeout=1).kind == "unanswered"
            owner.send_signal(signal.SIGCONT)
            assert "blog: running, says" in heard(timeout=30).message
            assert workplace.run("pause", "blog").code == 0
            eventually(lambda: reported(workplace) == "paused", within=30)
            ended = workplace.run("resume", "blog", "--timeout", "30")
            assert (ended.code, "blog: running, says" in ended.out) == (0, True), ended


def test_a_stream_that_stops_again_says_why_and_one_that_works_says_so(place: Place) -> None:
    """Exit 1 with the owner's own error while the cause lasts; 0 once it is gone, without a restart."""
    (item,) = case(ITEM)
    with served([{**item, "sys": {**item["sys"], "id": 7}}]) as cms:
        workplace = place(cms, 'malformed = "stop"')
        with running(workplace):
            eventually(lambda: state(workplace) == "stopped", within=40)
            assert workplace.run("status").code == 1
            ended = workplace.run("resume", "blog", "--timeout", "30")
            assert ended.code == 1, ended
            assert "blog: stopped: " in ended.err
            assert "no usable id" in ended.err
            cms.initial = [item]
            ended = workplace.run("resume", "blog", "--timeout", "30")
            assert ended.code == 0, ended
            assert revisions(workplace) == [1]
            assert workplace.run("status").code == 0


def test_a_stream_that_cannot_be_opened_says_so_and_obeys(place: Place) -> None:
    """`resume` reports a broken certificate file; once it is right, the next `resume` takes effect."""
    (item,) = case(ITEM)
    with served([{**item, "sys": {**item["sys"], "id": 7}}]) as cms:
        workplace = place(cms, 'malformed = "stop"', 'ca = "ca.pem"')
        certificates = workplace.folder / "ca.pem"
        certificates.write_bytes(Path(certifi.where()).read_bytes())
        with running(workplace):
            eventually(lambda: state(workplace) == "stopped", within=40)
            certificates.rename(workplace.folder / "away.pem")
            cms.initial = [item]
            workplace.edit("ca = .*", "")
            ended = workplace.run("resume", "blog", "--timeout", "30")
            assert ended.code == 1, ended
            assert "blog: stopped: ca: " in ended.err
            assert "ca.pem" in workplace.run("status").out
            (workplace.folder / "away.pem").rename(certificates)
            ended = workplace.run("resume", "blog", "--timeout", "30")
            assert ended.code == 0, ended


def test_a_stream_without_an_answer_is_still_trying(place: Place) -> None:
    """Exit 3 with what is wrong, when the time to wait is over."""
    with served(case(ITEM)) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        cms.refusals = [(503, {}, b"")] * 10_000
        with running(workplace):
            eventually(lambda: '"owner": {' in workplace.run("status", "--json").out, within=30)
            ended = workplace.run("resume", "blog", "--timeout", "3")
            assert ended.code == 3, ended
            assert "blog: not running after 3 s" in ended.err


def test_a_stream_that_nobody_follows_is_no_failure(place: Place) -> None:
    """It will continue with the next run, and the message says so."""
    with served(case(ITEM)) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        assert workplace.run("pause", "blog").code == 0
        ended = workplace.run("resume", "blog")
        assert (ended.code, "no process follows it now" in ended.out) == (0, True)
        assert workplace.run(*ONCE).code == 0
