"""How a process handles the threads of its streams."""

import threading
from collections.abc import Sequence

import pytest

from connector.clock import SYSTEM
from connector.service.metrics import Metrics
from connector.service.supervisor import Supervisor
from connector.simulator import Simulator
from connector.stream.spec import Hooks, Parts
from connector.testing import MemoryStore
from tests.cms import eventually
from tests.following import Following


def test_a_stream_whose_thread_has_ended_is_started_again() -> None:
    """It is noticed at the next turn, `stopped` and unhealthy meanwhile, counted, and followed again after a pause."""
    store, failures = MemoryStore(connection="blog"), [ZeroDivisionError()]
    with Simulator(entries=3).serving() as simulator:
        following = Following(simulator, "contentful", lambda: store)

        def opened(stop: threading.Event, hooks: Hooks) -> Parts:
            if failures:
                raise failures.pop()
            return following.parts(stop, hooks)

        process = Supervisor([following.spec(open=opened)], {}, "contentwire", Metrics(), clock=SYSTEM)
        process.assigned(frozenset({"state"}))
        eventually(process.dead)
        process._revive()
        (status,) = process.status()
        assert (process.dead(), status.state) == (["blog"], "stopped")

        def revived() -> bool:
            process._revive()
            return process.status()[0].phase == "streaming"

        eventually(revived)
        assert process.dead() == []
        restarts = process._metrics.registry.get_sample_value(
            "contentwire_stream_restarts_total", {"connection": "blog"}
        )
        assert restarts == 1
        process.revoked(frozenset({"state"}), lost=False)


def test_a_stream_without_a_thread_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine out of threads costs a pause, not the process's place in the group."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with Simulator(entries=1).serving() as simulator:
        spec = Following(simulator, "contentful", MemoryStore).spec()
        process = Supervisor([spec], {}, "contentwire", Metrics(), clock=SYSTEM)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            process.assigned(frozenset(process._by_topic))
            assert process.dead() == ["blog"]
            (status,) = process.status()
            assert (status.state, status.error) == ("stopped", "this machine refuses something: another thread")
            assert "ulimit -u" in status.hint

        def revived() -> bool:
            process._revive()
            return process.status()[0].state == "running"

        eventually(revived)
        process.revoked(frozenset(process._by_topic), lost=False)


def test_a_stream_that_is_just_being_started_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its thread is alive it does not count as ended: it would be started a second time."""
    start, seen = threading.Thread.start, list[Sequence[str]]()
    with Simulator(entries=1).serving() as simulator:
        spec = Following(simulator, "contentful", MemoryStore).spec()
        process = Supervisor([spec], {}, "contentwire", Metrics(), clock=SYSTEM)

        def looked_at(thread: threading.Thread) -> None:
            if thread.name.startswith("stream-"):
                looking = threading.Thread(target=lambda: seen.append(process.dead()))
                start(looking)
                looking.join(0.2)
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", looked_at)
        process.assigned(frozenset({"state"}))
        eventually(lambda: seen)
        assert seen == [[]]
        process.revoked(frozenset({"state"}), lost=False)
