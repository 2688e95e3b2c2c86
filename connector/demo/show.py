"""The demo's acts: the snapshot, the edits, the crash and the proof, each shown as it happens."""

from collections.abc import Callable, Sequence
from typing import Final, Self

from connector.demo.board import ProofBoard, SnapshotBoard, StepBoard, row
from connector.demo.ledger import Ledger
from connector.demo.pipeline import SESSION, Pipeline
from connector.demo.proof import prove
from connector.demo.reader import Decoder, Follower, read_all
from connector.demo.scenario import EDITS, SECOND_RELEASE, SLOW, UNATTENDED, Step
from connector.demo.view import View
from connector.errors import ConnectorError
from connector.kafka.registry import Registry
from connector.simulator import Change, Fault

_PATIENCE: Final = 60.0
_SLOWNESS: Final = 4.0
_READING: Final = 0.7  # so that people can read what has just happened
_AFTERMATH: Final = 0.5  # so that what was committed just before the crash is seen
_SETTLING: Final = 2.5  # enough polls for a duplicate event to arrive


class Show:
    """Runs on running servers, with the connector as a child process; a context manager that ends the connector.

    Call the acts in order. They show the end of the connector's log and raise `ConnectorError` if events do not arrive.
    """

    def __init__(self, servers: Pipeline, view: View, command: Sequence[str]) -> None:
        self._servers = servers
        self._view = view
        self._command = command
        self._simulator = servers.simulator
        self._names = servers.connections
        self._ledgers = {name: Ledger(self._simulator, name) for name in self._names}
        self._holdings = {name: ledger.before for name, ledger in self._ledgers.items()}
        self._registry = Registry(servers.registry)
        self._decoder = Decoder(self._registry)
        self._follower = Follower(servers.broker.client, servers.topics, self._decoder)
        servers.write()

    def __enter__(self) -> Self:
        self._connector = self._servers.start(self._command)
        self._follower.start()
        self._view.fact("Connector", "contentwire run, in a separate process, configured by")
        self._view.fact("", str(self._servers.config))
        self._view.fact("Topics", f"{self._servers.prefix}.<connection>.changes")
        return self

    def __exit__(self, *_: object) -> None:
        self._connector.stop()
        self._follower.stop()
        self._registry.close()

    def snapshot(self) -> None:
        """Wait until everything that the CMSs hold has arrived."""
        self._view.section("Initial snapshot")
        self._view.say("The connector walks the Sync APIs; a read_committed consumer counts events.")
        board = SnapshotBoard(self._follower, self._holdings)
        with self._view.moving(board):
            self._expect(board.complete, "the snapshot was not complete")

    def edits(self) -> None:
        """Let editors work, one step after another."""
        self._view.section("Edits")
        self._view.say("c create, u update, d delete; seconds from the CMS to the consumer.")
        board = StepBoard(self._follower, self._names)
        with self._view.moving(board):
            for step in EDITS:
                self._follower.wait(lambda: False, _READING)
                board.add(row(step.title, self._do(step), self._holdings))
                self._expect(board.complete, f"not every event arrived after: {step.title}")

    def crash(self) -> None:
        """Kill the connector during a release, let an editor carry on, and start it again."""
        view, board = self._view, StepBoard(self._follower, self._names)
        view.section("Crash")
        with view.moving(board):
            view.say(f"A second release begins; {SLOW.capitalize()} answers slowly …")
            self._simulator.push_fault(SLOW, Fault("slow", on="cursor", delay=_SLOWNESS))
            release = row(SECOND_RELEASE.title, self._do(SECOND_RELEASE), self._holdings)
            board.add(release)
            self._expect(
                lambda: any(board.arrived(release, name) for name in self._names), "none of its events arrived"
            )
            self._connector.kill()
            self._simulator.clear_faults(SLOW)
            view.say("Killed the connector with SIGKILL mid-release; editors carry on without it …", "bold red")
            self._follower.wait(lambda: False, _AFTERMATH)
            board.remark("  seen before the crash", {name: board.progress(release, name) for name in self._names})
            board.add(row(UNATTENDED.title, self._do(UNATTENDED), self._holdings))
            self._connector = self._servers.start(self._command)
            view.say(f"Started it again; Kafka hands over a dead process's streams after {SESSION:.0f} s …")
            self._expect(board.complete, "not every event arrived after the crash")

    def proof(self) -> bool:
        """Read every topic from its start, compare it with the CMS's own record; return whether everything holds."""
        self._view.section("Proof")
        self._view.say("Each topic, read from its start (read_committed), against what the CMS says.")
        self._follower.wait(lambda: False, _SETTLING)
        board = ProofBoard()
        for name, topic in self._servers.topics.items():
            self._ledgers[name].note()
            records = read_all(self._servers.broker.client, topic, self._decoder)
            board.add(name, prove(records, self._ledgers[name].account()))
        self._view.show(board)
        return board.holds()

    def _do(self, step: Step) -> Sequence[Change]:
        """Do the step; return what the CMS says changed."""
        before = len(self._simulator.changes())
        step.edit(self._simulator)
        return self._simulator.changes()[before:]

    def _expect(self, happened: Callable[[], bool], otherwise: str) -> None:
        """Wait until it has `happened`; raises `ConnectorError` if the connector ends first, or time runs out."""
        self._follower.wait(lambda: happened() or not self._connector.running, _PATIENCE)
        if not happened():
            reason = f"within {_PATIENCE:.0f} s" if self._connector.running else "before the connector ended"
            self._view.say("The end of the connector's log:")
            for line in self._connector.tail().splitlines():
                self._view.say(line)
            raise ConnectorError(f"{otherwise} {reason}")
