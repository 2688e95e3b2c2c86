"""What unit tests do without: threads, processes, sockets and waits. What needs one is integration, or contract."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Final, NoReturn

import pytest

_BARRED: Final[tuple[tuple[type | object, str, str], ...]] = (
    (threading.Thread, "start", "starts a thread"),
    (threading.Condition, "wait", "waits for a thread"),
    (socket.socket, "bind", "opens a port"),
    (socket.socket, "connect", "connects to something"),
    (subprocess.Popen, "__init__", "starts a process"),
    (time, "sleep", "sleeps"),
)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test fail that does what unit tests do without; there are no exceptions."""
    for owner, name, what in _BARRED:
        monkeypatch.setattr(owner, name, _refuse(what))


def _refuse(what: str) -> Callable[..., NoReturn]:
    def refuse(*_args: object, **_options: object) -> NoReturn:
        # Not an exception that the code under test might take for an error of its own.
        pytest.fail(f"a unit test {what}: it belongs into integration or contract")

    return refuse
