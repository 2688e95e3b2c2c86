"""Following a simulated CMS as the supervisor would: a store that outlives its followers, and short waits."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import msgspec

from connector.clock import SYSTEM, Clock, now_ms
from connector.cms import content_model
from connector.cms.lookahead import Ahead, look_ahead
from connector.cms.source import Source, Transport, ignore
from connector.events.assembler import Assembler
from connector.events.envelope import Provenance
from connector.events.policy import Policy
from connector.model.checkpoint import Checkpoint
from connector.service.metrics import Metrics
from connector.simulator import Simulator
from connector.stream.follower import Follower
from connector.stream.publisher import Publisher, Store
from connector.stream.runner import Bounds
from connector.stream.spec import Hooks, Pace, Parts, StreamSpec
from connector.tables.catalog import Catalog
from connector.tables.columns import Options  # noqa: TC001  as everything else here
from tests.cms import connect
from tests.values import CONNECTION, amended

QUICK = Pace(
    first_pause=0.002,
    longest_pause=0.01,
    look_again=0.02,
    doubt=0.1,
    doubt_briefly=0.05,
    doubt_pause=0.01,
    try_again=0.05,
    wake_spacing=0.0,
    wake_ups=(0.0,),
)
PATIENCE = 30.0


class Following:
    """One stream: a CMS, a store, and one follower after another. `opened` opens the store, as a new process would."""

    def __init__(
        self,
        simulator: Simulator,
        name: str,
        opened: Callable[[], Store],
        *,
        clock: Clock = SYSTEM,
        pace: Pace = QUICK,
        page_size: int = 4,
        **settings: Any,
    ) -> None:
        self.clock = clock
        self.ahead: Ahead = look_ahead
        self.vendor = connect(simulator, name, page_size=page_size, **settings)
        self.metrics = Metrics()
        self.policy = Policy()
        self.fingerprint = "scope.topic"
        self.transport: Transport | None = None
        self.tables: Options | None = None  # how tables are published, if they are
        self._opened = opened
        self._spec = StreamSpec(
            connection=CONNECTION,
            vendor=self.vendor,
            clock=clock,
            state_topic="state",
            fingerprint=self.fingerprint,
            open=self.parts,
            bounds=Bounds(interval=0.0),
            poll_interval=0.02,
            page_size=page_size,
            pace=pace,
        )

    def spec(self, **changes: Any) -> StreamSpec:
        """Return the spec, with changes."""
        return msgspec.structs.replace(self._spec, **{"fingerprint": self.fingerprint, **changes})

    def parts(self, stop: threading.Event, hooks: Hooks) -> Parts:
        """Return a source and a publisher, as wiring would."""
        store, vendor = self._opened(), self.vendor
        assembler = Assembler(
            provenance=Provenance("9.9.9", vendor.name, CONNECTION, vendor.db, vendor.schema),
            policy=self.policy,
            now_ms=partial(now_ms, self.clock),
            locate=vendor.locate,
            tables=(catalog := self.catalog()),
        )
        initial = Checkpoint(stream=CONNECTION, fingerprint=self.fingerprint)
        source = Source(
            vendor,
            clock=self.clock,
            stop=stop,
            observe=hooks.page,
            transport=self.transport,
            timeout=10,
            ahead=self.ahead,
        )
        publisher = Publisher(
            store,
            assembler,
            initial=initial,
            clock=self.clock,
            committed=hooks.committed,
            owner="test",
            catalog=catalog,
        )
        return Parts(source, publisher)

    def catalog(self) -> Catalog | None:
        """Return the stream's tables, if it has any."""
        vendor = self.vendor
        if self.tables is None:
            return None
        described = partial(content_model.described, vendor.model)
        return Catalog(CONNECTION, self.tables, described, localized=vendor.localized, own_members=vendor.own_members)

    def checkpoint(self, **changes: Any) -> Checkpoint:
        """Return the committed checkpoint; with changes to its record, commit it first, as a command would."""
        source, publisher = self.parts(threading.Event(), Hooks(ignore, lambda _batch, _seconds: None))
        source.close()
        try:
            found = publisher.recover()
            return publisher.commit_checkpoint(amended(found, **changes)) if changes else found
        finally:
            publisher.close()

    def catch_up(self, **changes: Any) -> Follower:
        """Start a new follower, wait until it is current or has failed, and return it: each call is a restart."""
        follower = Follower(self.spec(**changes), self.metrics, once=True, give_up_after=PATIENCE)
        follower.run()
        return follower

    def become_current(self, **changes: Any) -> None:
        """Catch up; fail if the stream cannot."""
        follower = self.catch_up(**changes)
        assert follower.outcome == "current", follower.status

    def metric(self, name: str, **labels: str) -> float:
        """Return the value of a metric of the stream."""
        return self.metrics.registry.get_sample_value(name, {"connection": CONNECTION, **labels}) or 0.0

    def once(self, *, give_up_after: float) -> AbstractContextManager[Follower]:
        """Make one pass in the background; it MUST stop in time at the end of the block."""
        return self._started(Follower(self.spec(), self.metrics, once=True, give_up_after=give_up_after))

    def running(self, **changes: Any) -> AbstractContextManager[Follower]:
        """Follow in the background until the end of the block; it MUST then stop in time."""
        return self._started(Follower(self.spec(**changes), self.metrics))

    @contextmanager
    def _started(self, follower: Follower) -> Iterator[Follower]:
        follower.start()
        try:
            yield follower
        finally:
            follower.stop()
            assert follower.join(5), "the follower did not stop"
