"""Child processes that never outlive their parent, however it ends; and free ports for them.

This file also runs as a guard between parent and child: it holds the read end of a pipe whose write end only the
parent has. When the parent is gone, even by kill -9, the pipe closes and the guard ends the child. Standard library
only: the guard starts at once and needs nothing from the package.
"""

import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

# Below every ephemeral range: before a stopped server is started again, no outgoing connection can take its port, and
# no reconnecting client can meet itself there (a TCP self-connect).
_PORTS = range(20_000, 32_000)

_DELIVERED = b"."
_FAREWELL = b"\0"  # tells the guard that a clean end follows
_GRACE = 10.0
_LOOK = 0.02
_PR_SET_PDEATHSIG = 1


class Child:
    """A running command whose output is appended to `log`; it ends at the latest when this process does.

    `folder` is where it runs; `scratch` is removed if this process vanishes without `stop`. Raises `OSError` if the
    command cannot be started at all; if it ends later, `running` shows it. Not for several threads at once.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
        scratch: Path | None = None,
    ) -> None:
        self._log = log
        with log.open("ab") as output:
            self._seen = output.tell()
            self._guard = subprocess.Popen(  # noqa: S603  # the caller's own command, no shell
                [sys.executable, "-I", "-S", __file__, str(scratch or ""), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                bufsize=0,
                env=env,
                cwd=folder,
                # Ctrl-C at the terminal reaches only the parent, which then stops its children cleanly.
                start_new_session=True,
            )
        if not self._delivered():
            self.stop()
            raise OSError(f"{command[0]} cannot be started, see {log}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the command is still running."""
        return self._guard.poll() is None

    def wait(self, timeout: float) -> int | None:
        """Return the exit code, or None if the command is still running after `timeout` seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._guard.wait(timeout)
        return None

    def said(self, text: str, timeout: float) -> bool:
        """Wait until the log holds `text`; False if the command ends first, or `timeout` seconds pass."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            running = self.running  # Read before the log: the last words of an ended command still count.
            if text.encode() in self._log.read_bytes()[self._seen :]:
                return True
            if not running:
                return False
            time.sleep(_LOOK)
        return False

    def tail(self, lines: int = 15) -> str:
        """Return the last lines that the command logged."""
        logged = self._log.read_bytes()[self._seen :].decode(errors="replace")
        return "\n".join(logged.splitlines()[-lines:])

    def signal(self, number: signal.Signals) -> None:
        """Deliver a signal to the command and everything it started; does nothing once it has ended."""
        assert self._guard.stdin
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._guard.stdin.write(bytes([number]))
            self._delivered()

    def kill(self) -> None:
        """End the command with SIGKILL; returns when it is gone."""
        self.signal(signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """End the command with SIGTERM, after 10 s with SIGKILL; returns when it is gone. May be called again."""
        assert self._guard.stdin
        assert self._guard.stdout
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._guard.stdin.write(_FAREWELL)
        self._guard.stdin.close()
        self._guard.wait(2 * _GRACE)
        self._guard.stdout.close()

    def _delivered(self) -> bool:
        assert self._guard.stdout
        return self._guard.stdout.read(1) == _DELIVERED


def free_ports(count: int) -> list[int]:
    """Return distinct ports of 127.0.0.1 that nothing is listening on at the moment."""
    with contextlib.ExitStack() as stack:
        found: list[int] = []
        for port in random.sample(_PORTS, len(_PORTS)):
            if len(found) == count:
                break
            probe = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found.append(port)
        return found


def _die_with_guard() -> None:
    # Linux only: covers a kill -9 of the guard itself. The guard's main thread forks, so its end is the guard's.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _confirm() -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(1, _DELIVERED)


def _obey(child: subprocess.Popen[bytes], abandoned: threading.Event) -> None:
    """Deliver each signal number that arrives; at the farewell or the end of the pipe, end the child."""
    _confirm()
    while (number := os.read(0, 1)) not in {b"", _FAREWELL}:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number[0])
        _confirm()
    if not number:
        abandoned.set()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
        os.killpg(child.pid, signal.SIGCONT)
        time.sleep(_GRACE)
        os.killpg(child.pid, signal.SIGKILL)


def _guard(scratch: str, *command: str) -> int:
    child = subprocess.Popen(  # noqa: S603  # the parent's own command, no shell
        command,
        stdin=subprocess.DEVNULL,
        stdout=2,
        process_group=0,
        preexec_fn=_die_with_guard,  # noqa: PLW1509  # no other thread exists yet
    )
    abandoned = threading.Event()
    threading.Thread(target=_obey, args=(child, abandoned), daemon=True).start()
    code = child.wait()
    if scratch and abandoned.is_set():
        shutil.rmtree(scratch, ignore_errors=True)
    return code % 256


if __name__ == "__main__":
    sys.exit(_guard(*sys.argv[1:]))
