"""A stream under everything at once: edits, page sizes, faults, crashes, expired cursors, filters.

The model is the simulator's change log. Whatever happens, what was published is a consistent story; and whenever
things have settled it equals what the CMS delivers, and publishing has nothing left to say.
"""

from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from connector import vendors
from connector.errors import BrokerUnavailable, ConnectorError, Fenced, TransactionAborted, UnknownOutcome
from connector.events.policy import Policy
from connector.events.record import Batch
from connector.model.change import EntityKey
from connector.simulator import Fault, Simulator
from connector.simulator.front_end import Mode
from connector.stream.follower import Follower
from connector.stream.runner import Bounds
from connector.testing import Fault as CommitFault
from connector.testing import MemoryStore, fail_after_commit, fail_before_commit
from tests.cms import connect, contiguous, rows, truth
from tests.published import Seen, latest, seen
from tests.story import HOME, HOUR, Told

PAGE_FAULTS = ("status", "reset", "truncated_body", "html", "duplicate_page", "malformed_item", "repeat_cursor")
NOT_COMMITTED: tuple[type[ConnectorError], ...] = (TransactionAborted, UnknownOutcome, Fenced, BrokerUnavailable)
COMMITTED: tuple[type[ConnectorError], ...] = (UnknownOutcome, Fenced)
Wanted = Callable[[EntityKey, str | None], bool]
INDEX = st.integers(0, 50)


class StreamMachine(RuleBasedStateMachine):
    """One stream of one vendor; every `catch_up` is a new process."""

    name: str

    def __init__(self) -> None:
        super().__init__()
        self.simulator = Simulator(seed=1, entries=5)
        self.store = MemoryStore(connection="blog")
        self.following = Told(self.simulator, self.name, lambda: self.store)
        self.follower: Follower | None = None
        self.bounds = Bounds(items=3, interval=0.0, max_delete_share=1.0)
        self.wanted: Wanted = lambda _key, _type: True
        self.untold: set[str] = set()
        self.told = 0
        self.older = False

    def teardown(self) -> None:
        """Settle: whatever was done last, the promise holds."""
        if self.follower:
            self.settle()

    @initialize(size=st.integers(1, 6), mode=st.sampled_from(["shift", "refuse"]))
    def begin(self, size: int, mode: Mode) -> None:
        """Choose how the CMS pages, and what it does to walks during which content changes."""
        self.simulator.set_mode(self.name, mode)
        self.resize(size)

    @rule(count=st.integers(1, 6))
    def churn(self, count: int) -> None:
        """Publish, edit, unpublish and delete, in one locale or in all."""
        self._change(count)

    @rule(count=st.integers(1, 8))
    def release(self, count: int) -> None:
        """Publish several entries at one moment."""
        self.simulator.release(count)

    @rule(index=INDEX)
    def publish_again(self, index: int) -> None:
        """Publish an entry once more, its content unchanged."""
        ids = self.simulator.ids()
        self.simulator.publish(id=ids[index % len(ids)])

    @rule(index=INDEX)
    def edit_asset(self, index: int) -> None:
        """Edit or delete an asset."""
        ids = self.simulator.ids("asset")
        if len(ids) > 1:
            (self.simulator.delete if index % 3 == 0 else self.simulator.edit)(ids[index % len(ids)])

    @precondition(lambda self: not self.untold)
    @rule()
    def remove_type(self) -> None:
        """Delete a content type with its entries; not every API reports the type itself."""
        if self.simulator.ids("entry", "product") and len(self.simulator.ids()) > len(
            self.simulator.ids("entry", "product")
        ):
            self.simulator.delete_content_type("product")
            self.untold.add("product")

    @rule(count=st.integers(1, 5), page=st.integers(1, 4))
    def edit_while_paging(self, count: int, page: int) -> None:
        """Change content while the next walk is read."""
        self.simulator.on_page(self.name, page, lambda: self._change(count))

    @rule(kind=st.sampled_from(PAGE_FAULTS), after=st.integers(0, 4))
    def trouble(self, kind: Any, after: int) -> None:
        """Make one of the next requests fail."""
        self.simulator.push_fault(self.name, Fault(kind, after=after))

    @rule(times=st.integers(1, 4), after=st.integers(0, 3))
    def refuse(self, times: int, after: int) -> None:
        """Refuse some of the next cursors."""
        self.simulator.push_fault(self.name, Fault("refuse_cursor", on="cursor", times=times, after=after))

    @rule()
    def expire(self) -> None:
        """Refuse every cursor handed out so far."""
        self.simulator.expire_cursors(self.name)

    @rule(after=st.integers(0, 4), error=st.sampled_from(NOT_COMMITTED))
    def fail_before(self, after: int, error: type[ConnectorError]) -> None:
        """Make a commit fail with nothing visible."""
        self.store.faults.extend([*[None] * after, fail_before_commit(error("scripted"))])

    @rule(after=st.integers(0, 4), error=st.sampled_from(COMMITTED))
    def fail_after(self, after: int, error: type[ConnectorError]) -> None:
        """Make a commit succeed, but lose its answer."""
        self.store.faults.extend([*[None] * after, fail_after_commit(error("scripted"))])

    @rule(after=st.integers(0, 4), visible=st.booleans())
    def crash(self, after: int, *, visible: bool) -> None:
        """Make the process die at a commit, before or after it becomes visible."""
        self.store.faults.extend([*[None] * after, self._dies(visible=visible)])

    @rule(older=st.booleans(), own_size=st.booleans())
    def behave(self, *, older: bool, own_size: bool) -> None:
        """Let the vendor do what it has been seen to do beyond its documents, or stop it."""
        front_end = self.simulator._stage(self.name).front_end
        self.older = self.older or older
        wanted = {"older_removals"} if older else set()
        wanted |= {"own_page_size"} if own_size else set()
        self.simulator.set_quirks(self.name, sorted(wanted & front_end.known_quirks))

    @rule(size=st.integers(1, 6))
    def resize(self, size: int) -> None:
        """Change the page size."""
        self.simulator._stage(self.name).front_end.page_size = size
        self.following.vendor = connect(self.simulator, self.name, page_size=size, base_url=HOME)

    @rule(items=st.integers(1, 9))
    def rebound(self, items: int) -> None:
        """Change how much one transaction may hold."""
        self.bounds = Bounds(items=items, interval=0.0, max_delete_share=1.0)

    @rule(choice=st.integers(0, 5))
    def refilter(self, choice: int) -> None:
        """Change what is published: everything, one content type, only entries or only assets."""
        types = sorted({live.content_type for live in self.simulator.truth(self.name) if live.content_type})
        chosen = types[choice % len(types)] if choice > 2 else None
        kind = ("entry", "asset")[choice] if choice < 2 else None
        self.following.policy = Policy(
            content_types=frozenset({chosen}) if chosen else None,
            entity_types=frozenset({kind}) if kind else None,
            commit_items=2 + choice,
        )
        self.following.fingerprint = f"filter {kind} {chosen}.topic"
        self.wanted = lambda key, content_type: (
            kind in (None, key.entity_type)
            and (chosen is None or key.entity_type == "asset" or chosen in (content_type, _own(key)))
        )

    @rule()
    def catch_up(self) -> None:
        """Start a process and let it get as far as it can."""
        self._run()
        self._check_story()

    @rule()
    def settle(self) -> None:
        """Let nothing more go wrong: then the topic equals the CMS, and nothing is left to publish."""
        self.simulator.clear_faults(self.name)
        self.store.faults.clear()
        assert self._run().outcome == "current"
        if self.simulator._stage(self.name).front_end.quirks:
            # A first delta may report more than what has changed since.
            assert self._run().outcome == "current"
        published = self._check_story()
        live = {key: row for key, row in rows(latest(published)).items() if _own(key) not in self.untold}
        assert live == truth(self.simulator, self.name, self.wanted)
        before = len(self.store.records)
        assert self._run().outcome == "current"
        assert self.store.records[before:] == []

    def _change(self, count: int) -> None:
        for _ in range(count):
            if len(self.simulator.ids()) > 2:
                self.simulator.churn(1)
            else:
                self.simulator.publish("author")

    def _run(self) -> Follower:
        spec = self.following.spec(bounds=self.bounds)
        self.follower = Follower(spec, self.following.metrics, once=True, give_up_after=HOUR)
        self.follower.run()
        states = {"running", "recovering", "retrying", "disconnected", "walk_starved"}
        assert self.follower.status.state in states, self.follower.status
        return self.follower

    def _dies(self, *, visible: bool) -> CommitFault:
        def fault(store: MemoryStore, batch: Batch) -> None:
            if visible:
                store.apply(batch)
            assert self.follower
            self.follower.stop()
            raise UnknownOutcome("the process died")

        return fault

    def _check_story(self) -> list[Seen]:
        """Check what must always hold for what was published; return it."""
        published = seen(self.store.records)
        # Nothing removed is ever published again here: what a snapshot proved to be gone must be gone.
        vanished = {each.key for each in published[self.told :] if each.event and each.event["origin"] == "reconciled"}
        assert not vanished & truth(self.simulator, self.name, self.wanted).keys()
        self.told = len(published)
        assert contiguous(each.event["source"]["sequence"] for each in published if each.event)
        live: set[EntityKey] = set()
        ids: dict[EntityKey, set[str]] = {}
        for each, following in zip_longest(published, published[1:]):
            assert each
            if each.event is None:
                continue
            removal = each.op == "d"
            assert (each.op == "u") == (each.key in live and not removal)
            assert (each.event["before"] is not None) == (each.op in "ud")
            assert not removal or (following and (following.key, following.event) == (each.key, None))
            # A change is published once; again only after its key was gone, or back, in between, or if a snapshot,
            # or the first delta after it, reports a removal that is forgotten by now.
            forgotten = removal and (each.event["origin"] == "snapshot" or self.older)
            if removal == (each.key in live) or forgotten:
                ids[each.key] = set()
            assert each.event["event_id"] not in ids.setdefault(each.key, set())
            ids[each.key].add(each.event["event_id"])
            (live.discard if removal else live.add)(each.key)
        return published


def _own(key: EntityKey) -> str | None:
    return key.id if key.entity_type == "content_type" else None


PROFILE = settings(
    max_examples=100,
    stateful_step_count=40,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("name", vendors.names())
def test_whatever_happens_the_topic_equals_the_cms(name: str) -> None:
    """Thousands of steps of every kind, for each vendor."""
    machine = type(f"{name.title()}Machine", (StreamMachine,), {"name": name})
    run_state_machine_as_test(machine, settings=PROFILE)
