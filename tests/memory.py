"""A stream in memory, fed by hand: no vendor, no CMS, no broker."""

from connector.events.assembler import Assembler
from connector.events.envelope import Provenance
from connector.events.policy import Policy
from connector.events.record import Batch, Record
from connector.events.table_rows import Tables
from connector.model.change import Change, DeadLetter
from connector.model.checkpoint import Checkpoint, Phase
from connector.stream.aside import Aside, at_once
from connector.stream.publisher import Publisher
from connector.testing import ManualClock, MemoryStore
from tests.values import CONNECTION, amended, checkpoint, page

NOW_MS = 1_750_000_000_123
PROVENANCE = Provenance("9.9.9", "acme", CONNECTION, "space1", "master")


class Clock:
    """Our own clock, which stands still unless a test moves it."""

    def __init__(self) -> None:
        self.ms = NOW_MS

    def __call__(self) -> int:
        """Return the time."""
        return self.ms


class Stream:
    """A publisher over a memory store, in a given phase; give it the `store` of another to act out a restart."""

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        phase: Phase = "streaming",
        store: MemoryStore | None = None,
        aside: Aside = at_once,
        follows: bool = True,
        tables: Tables | None = None,
    ) -> None:
        self.policy = policy or Policy()
        self.follows = follows
        self.tables = tables
        self.clock = Clock()
        self.store = store or MemoryStore(connection=CONNECTION)
        self.initial = checkpoint(phase=phase, cursor="start", fingerprint="f")
        self.batches: list[Batch] = []
        self.publisher = Publisher(
            self.store,
            self.assembler(),
            initial=self.initial,
            clock=ManualClock(),
            committed=lambda batch, _seconds: self.batches.append(batch),
            aside=aside,
        )
        self.publisher.recover()

    @property
    def checkpoint(self) -> Checkpoint:
        """The publisher's resume point."""
        return self.publisher.checkpoint

    def publish(self, *items: Change | DeadLetter, caught_up: bool = True) -> list[Record]:
        """Publish one page; return the resulting records."""
        before = len(self.store.records)
        self.publisher.publish([page(*items, after=self.checkpoint.position, caught_up=caught_up)])
        return self.store.records[before:]

    def move_to(self, phase: Phase, *, epoch: int | None = None) -> None:
        """Commit a checkpoint in another phase, as the end of a walk or a new snapshot would."""
        moved = amended(self.checkpoint, phase=phase, epoch=epoch or self.checkpoint.position.epoch)
        self.publisher.commit_checkpoint(moved)

    def restarted(self, policy: Policy | None = None) -> "Stream":
        """Return the stream as a new process finds it."""
        return Stream(policy or self.policy, store=self.store, follows=self.follows)

    def assembler(self) -> Assembler:
        """Return what turns this stream's pages into batches."""
        return Assembler(
            provenance=PROVENANCE,
            policy=self.policy,
            now_ms=self.clock,
            locate=lambda key, content_type: f"https://cms/{content_type}/{key.id}",
            follows=self.follows,
            tables=self.tables,
        )
