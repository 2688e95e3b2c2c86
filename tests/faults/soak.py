"""`make soak`: random edits, faults and crashes on the real broker for a chosen time, proved at intervals.

`python -m tests.faults.soak --seconds 60 --seed 1`. One resident process follows every stream all the time; visitors
join it, own some of the streams for a while, and are killed, frozen or stopped. After each round every change must have
arrived; at intervals, and at the end, the independent consumer proves the topics. The resident's memory and open files
must stay where they were after the first rounds. A failure names the seed and the round; a seed always gives the same
script.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from connector.devservers import broker
from connector.devservers.broker import Broker
from connector.simulator import Fault, Simulator
from connector.simulator.fault import FaultKind
from tests.faults.deployment import VENDORS, Deployment, Process

FAULTS: Final[Sequence[FaultKind]] = (
    "rate_limited", "status", "slow", "reset", "truncated_body", "truncated_gzip", "html", "duplicate_page",
    "repeat_cursor", "empty_page",
)  # fmt: skip
STEPS: Final = (
    "http",
    "init.after",
    "begin.before",
    "produce",
    "state",
    "flush.before",
    "commit.before",
    "commit.after",
)

_WINDOW: Final = 5  # rounds whose smallest footprint counts: connections come and go
_PROOF_EVERY: Final = 5  # rounds
_MORE_FILES: Final = 24  # one stream's connections, more or less
_MORE_BYTES: Final = 64 * 1024 * 1024
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Footprint(NamedTuple):
    """What a process holds: resident bytes, and open file descriptors."""

    resident: int
    files: int


class Soak:
    """The script of one soak: what happens in each round follows from the seed."""

    def __init__(self, deployment: Deployment, seed: int) -> None:
        self._deployment = deployment
        self._random = Random(seed)
        self._resident = deployment.spawn(once=False)
        self._footprints: list[Footprint] = []
        self.rounds = 0
        self.visitors = 0

    def go_round(self) -> str:
        """Change content during faults, let a visitor meet its fate, wait until all has arrived; return a summary."""
        self.rounds += 1
        done = [*self._faults(), self._edits()]
        done.append(self._random.choice(self._fates())())
        try:
            self._deployment.arrive()
        except AssertionError as error:
            raise AssertionError(f"{', '.join(done)}: {error}\n{self._resident.tail(60)}") from error
        self._deployment.simulator.clear_faults()
        if self.rounds % _PROOF_EVERY == 0:
            self._deployment.prove()
            done.append("proved")
        return f"{', '.join(done)}; {self._measured()}"

    def finish(self) -> str:
        """Prove everything; the resident MUST still run, and end cleanly."""
        self._deployment.prove()
        assert self._resident.running, self._resident.tail(40)
        self._resident.stop()
        return f"{self.rounds} rounds, {self.visitors} visitors: nothing lost, nothing twice"

    def _faults(self) -> list[str]:
        chosen: list[str] = []
        for vendor in VENDORS:
            # Weegloo's 429 means a used-up quota, which takes fifteen minutes to wait out.
            kinds = [kind for kind in FAULTS if (vendor, kind) != ("weegloo", "rate_limited")]
            for kind in self._random.sample(kinds, self._random.randrange(3)):
                self._deployment.simulator.push_fault(vendor, Fault(kind, delay=0.5, after=self._random.randrange(2)))
                chosen.append(kind)
        if self._random.random() < 1 / 10:
            self._deployment.simulator.expire_cursors(self._random.choice(VENDORS))
            chosen.append("expired cursors")
        return chosen

    def _edits(self) -> str:
        count = self._random.choice((1, 5, 25, 60))

        def edit(simulator: Simulator) -> None:
            # Each entity once: an API reports only the latest state.
            chosen = self._random.sample(simulator.ids(), min(count, len(simulator.ids()) // 2))
            for one in chosen:
                edits: list[Callable[[str], object]] = [simulator.edit] * 8 + [simulator.unpublish, simulator.delete]
                self._random.choice(edits)(one)
            for _ in range(1 + count // 5):
                simulator.publish()

        self._deployment.change(edit)
        return f"{count} edits"

    def _fates(self) -> list[Callable[[], str]]:
        return [lambda: "nobody", self._kill_at_a_step, self._kill_at_any_time, self._freeze]

    def _kill_at_a_step(self) -> str:
        self.visitors += 1
        step = f"{self._random.choice(STEPS)}:{self._random.randrange(1, 3)}"
        visitor = self._deployment.spawn(once=False, at={self._random.choice(VENDORS): step})
        visitor.wait(4.0)
        visitor.kill()
        return f"killed at {step} or later"

    def _kill_at_any_time(self) -> str:
        self.visitors += 1
        seconds = self._random.uniform(0.5, 4.0)
        visitor = self._deployment.spawn(once=False)
        visitor.wait(seconds)
        visitor.kill()
        return f"killed after {seconds:.1f} s"

    def _freeze(self) -> str:
        self.visitors += 1
        visitor = self._deployment.spawn(once=False)
        visitor.wait(2.0)
        visitor.signal(signal.SIGSTOP)
        self._deployment.arrive()
        visitor.signal(signal.SIGCONT)
        visitor.wait(1.0)
        visitor.stop()
        return "frozen and awoken"

    def _measured(self) -> str:
        now = footprint(self._resident)
        self._footprints.append(now)
        first, last = self._footprints[:_WINDOW], self._footprints[-_WINDOW:]
        files = [min(each.files for each in window) for window in (first, last)]
        resident = [min(each.resident for each in window) for window in (first, last)]
        if len(first) == _WINDOW:
            assert files[1] <= files[0] + _MORE_FILES, f"open files grew from {files[0]} to {files[1]}"
            assert resident[1] <= resident[0] + _MORE_BYTES, f"memory grew from {resident[0]} to {resident[1]} bytes"
        return f"{now.resident // 1024**2} MiB, {now.files} files"


def footprint(process: Process) -> Footprint:
    """Return what a connector process holds; its guard, which has the same arguments, holds less."""
    orders = str(process.log.parent / "orders.json").encode()
    found = [path for path in Path("/proc").glob("[0-9]*") if orders in _read(path / "cmdline").split(b"\0")]
    held = [
        Footprint(int(_read(path / "statm").split()[1]) * _PAGE, len(list((path / "fd").iterdir()))) for path in found
    ]
    assert held, process.tail(40)
    return max(held)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def soak(kafka: Broker, seconds: float, seed: int) -> str:
    """Soak for `seconds`; return a summary. Raises `AssertionError` if a guarantee does not hold."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        deployment = Deployment(
            kafka, f"soak{uuid.uuid4().hex[:10]}", Path(folder), connection={"max_delete_share": 1.0}
        )
        with deployment:
            script = Soak(deployment, seed)
            deployment.arrive()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                say(f"round {script.rounds + 1}: {script.go_round()}")
            return script.finish()


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run the soak that the command line asks for."""
    parser = argparse.ArgumentParser(description="Random edits, faults and crashes on the real broker, with proof.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    say(f"seed {arguments.seed}, {arguments.seconds:.0f} s")
    with broker.find_or_start(os.environ) as kafka:
        say(soak(kafka, arguments.seconds, arguments.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
