"""Unit tests are kept from what makes tests slow and sometimes wrong."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest


def listen() -> None:
    """Open a port."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))


def connect() -> None:
    """Connect to somebody."""
    with socket.socket() as opened:
        opened.connect(("127.0.0.1", 9))


@pytest.mark.parametrize(
    "needed",
    [
        lambda: threading.Thread(target=print).start(),
        lambda: threading.Event().wait(0.0),
        listen,
        connect,
        lambda: subprocess.run([sys.executable, "--version"], check=True),
        lambda: time.sleep(0.0),
    ],
    ids=["a thread", "a wait", "a server", "a connection", "a process", "a pause"],
)
def test_a_unit_test_does_without(needed: Callable[[], object]) -> None:
    """The error says where tests that need one belong."""
    with pytest.raises(pytest.fail.Exception, match="integration or contract"):
        needed()
