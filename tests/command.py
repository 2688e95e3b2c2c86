"""The `contentwire` command as its users run it: in a child process, with its own configuration file."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from connector.config.tables import tables
from connector.simulator import Simulator

COMMAND = (sys.executable, "-m", "connector.cli")
_DEADLINE = 240  # of a command that hangs: how long one takes depends on the machine


class Ended(NamedTuple):
    """How a command ended: its exit code, and what it said."""

    code: int
    out: str
    err: str


class Running:
    """A command in the background; terminated at the end of the context if it still runs."""

    def __init__(self, child: "subprocess.Popen[str]", log: Path) -> None:
        self.child = child
        self._log = log

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()
        self.child.communicate()

    def said(self, text: str, times: int = 1) -> bool:
        """Wait until standard error holds `text` this many times; return whether it did before the command ended."""
        with self._log.open(encoding="utf-8") as log:
            heard = ""
            while heard.count(text) < times:
                ended = self.child.poll() is not None
                more = log.read()
                heard += more
                if not more and ended:
                    return False
                if not more:
                    # Nothing to read: leave the processor to the child, and notice its end at once.
                    self.goes_on(0.02)
        return True

    def ends(self, *signals: signal.Signals) -> Ended:
        """Send signals, wait for the end, and return it."""
        for number in signals:
            self.child.send_signal(number)
        out, _ = self.child.communicate(timeout=_DEADLINE)
        return Ended(self.child.returncode, out, self._log.read_text(encoding="utf-8"))

    def goes_on(self, seconds: float = 0.2) -> bool:
        """Wait that long for it to end; return whether it is still running."""
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False


class Workplace:
    """A folder with a `contentwire.toml` in it. Its secrets are read from `environ`."""

    def __init__(self, folder: Path, environ: Mapping[str, str], prefix: str = "contentwire") -> None:
        self.folder = folder
        self.prefix = prefix
        self.environ = dict(environ)
        self._logs = 0

    @property
    def path(self) -> Path:
        """Where the configuration is."""
        return self.folder / "contentwire.toml"

    def write(self, text: str) -> None:
        """Write the configuration."""
        self.path.write_text(text, encoding="utf-8")

    def edit(self, pattern: str, replacement: str) -> None:
        """Replace what `pattern` matches, which MUST exist, with `replacement`."""
        text, count = re.subn(pattern, replacement, self.path.read_text(encoding="utf-8"))
        assert count, pattern
        self.write(text)

    def run(self, *arguments: str, stdin: str = "") -> Ended:
        """Run a command to its end."""
        child = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=self._environ(),
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=_DEADLINE,
            check=False,
        )
        return Ended(child.returncode, child.stdout, child.stderr)

    def start(self, *arguments: str) -> Running:
        """Start a command in the background."""
        self._logs += 1
        log = self.folder / f"{self._logs}.log"
        with log.open("w") as err:
            child = subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=self.folder,
                env=self._environ(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=err,
                encoding="utf-8",
            )
        return Running(child, log)

    def lines(self, *arguments: str) -> list[Any]:
        """Run a command that must succeed, and return the JSON of each line of its output."""
        ended = self.run(*arguments)
        assert ended.code == 0, ended
        return [json.loads(line) for line in ended.out.splitlines()]

    def value(self, *arguments: str) -> Any:
        """Run a command that must succeed, and return its output's JSON."""
        ended = self.run(*arguments)
        assert ended.code == 0, ended
        return json.loads(ended.out)

    def reached(self, connection: str, *, epoch: int) -> Any:
        """Return the checkpoint once the stream is current in an epoch; the test's timeout bounds the wait."""
        while True:
            ended = self.run("checkpoints", "export", connection)
            checkpoint = json.loads(ended.out) if ended.code == 0 else {"phase": None, "epoch": None}
            if (checkpoint["phase"], checkpoint["epoch"]) == ("streaming", epoch):
                return checkpoint

    def _environ(self) -> dict[str, str]:
        passed_on = ("PATH", "HOME", "COVERAGE_PROCESS_CONFIG")
        inherited = {name: os.environ[name] for name in passed_on if name in os.environ}
        return {**inherited, "PYTHONPATH": str(Path(__file__).parents[1]), **self.environ}


class WorkplaceOf(Protocol):
    """Makes a workplace."""

    def __call__(self, *names: str, kafka_lines: str = "", connection_lines: str = "") -> Workplace:
        """Return a workplace that follows these simulated vendors, with extra lines in either table."""
        ...


def following(
    folder: Path,
    simulator: Simulator,
    names: Sequence[str],
    *,
    bootstrap: str,
    prefix: str,
    kafka: str = "",
    connection: str = "",
) -> Workplace:
    """Return a workplace that follows the simulated vendors `names`, each in a connection with its name.

    `kafka` and `connection` are extra lines for `[kafka]` and for each connection's table. Polls ten times a second.
    """
    text, environ = tables({name: simulator.connection(name) for name in names})
    paced = re.sub(r"(?m)^(vendor = .*)$", rf"\1\npoll_interval = 0.1\n{connection}", text)
    workplace = Workplace(folder, environ, prefix)
    workplace.write(f'[kafka]\nbootstrap_servers = "{bootstrap}"\nprefix = "{prefix}"\n{kafka}\n\n{paced}')
    return workplace
