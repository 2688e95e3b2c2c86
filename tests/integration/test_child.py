"""A child obeys its parent, reports how it ended, and never outlives it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from connector.devservers.child import Child, free_ports

_STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, lambda *_: print('asked', flush=True));"
    "print('up', flush=True); time.sleep(600)"
)


def _python(program: str, log: Path) -> Child:
    return Child([sys.executable, "-c", program], log=log)


def test_end_and_exit_code_are_reported(tmp_path: Path) -> None:
    """A command that ends by itself has an exit code, and its log can be read."""
    with _python("print('failing'); raise SystemExit(7)", tmp_path / "log") as child:
        assert child.wait(30) == 7
        assert not child.running
        assert child.tail() == "failing"


def test_only_this_run_counts(tmp_path: Path) -> None:
    """What an earlier run left in the log does not count for this one, which ends without saying it."""
    log = tmp_path / "log"
    log.write_text("ready\n")
    with _python("print('not yet')", log) as child:
        assert not child.said("ready", 30)
        assert child.said("not yet", 30)


def test_command_that_cannot_be_started_raises(tmp_path: Path) -> None:
    """A missing program is an error at once, and the log has the details."""
    with pytest.raises(OSError, match="no-such-program"):
        Child([str(tmp_path / "no-such-program")], log=tmp_path / "log")
    assert "FileNotFoundError" in (tmp_path / "log").read_text()


def test_paused_child_can_be_killed(tmp_path: Path) -> None:
    """A paused process that ignores SIGTERM is killed at once; ending it twice does no harm."""
    child = _python(_STUBBORN, tmp_path / "log")
    assert child.said("up", 30)
    child.signal(signal.SIGSTOP)
    child.kill()
    child.stop()
    assert not child.running
    assert "asked" not in child.tail()


def test_abandoned_child_ends_and_its_scratch_folder_goes(tmp_path: Path) -> None:
    """When a parent is killed, its child ends too, and then the scratch folder is removed."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    log = tmp_path / "log"
    program = (
        "import pathlib, sys; from connector.devservers.child import Child;"
        "child = Child([sys.executable, '-c', 'import os, time; print(os.getpid(), flush=True); time.sleep(600)'],"
        f" log=pathlib.Path({str(log)!r}), scratch=pathlib.Path({str(scratch)!r}));"
        "child.said('\\n', 30); print('started', flush=True); input()"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout
    assert parent.stdout.readline() == b"started\n"

    parent.send_signal(signal.SIGKILL)
    parent.communicate()

    end = time.monotonic() + 30
    while scratch.exists():
        assert time.monotonic() < end
    with pytest.raises(ProcessLookupError):
        os.kill(int(log.read_text()), 0)


def test_stopped_child_leaves_its_scratch_folder_to_the_parent(tmp_path: Path) -> None:
    """Neither a clean end nor a kill by the parent removes the folder: a restart finds its data."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for end in (Child.stop, Child.kill):
        end(Child(["sleep", "600"], log=tmp_path / "log", scratch=scratch))
        assert scratch.exists()


def test_free_ports_are_free_and_below_the_ephemeral_ones() -> None:
    """Each port can be bound, none is repeated, and no outgoing connection may take it meanwhile."""
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert max(ports) < 32_768
    for port in ports:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
