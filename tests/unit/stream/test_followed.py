"""A followed stream: opened with secrets as they are now, ready once recovered, and closed as a whole."""

import threading

from connector.stream.followed import FollowedStream
from connector.stream.spec import Hooks, Parts
from tests.unit.stream.opened import SILENT, Opened


def test_secrets_are_read_before_the_parts_are_built() -> None:
    """If a credential was rotated meanwhile, the new one is used."""
    order: list[str] = []
    built = Opened().following.parts

    def refresh() -> bool:
        order.append("refresh")
        return False

    def build(stop: threading.Event, hooks: Hooks) -> Parts:
        order.append("open")
        return built(stop, hooks)

    Opened(refresh=refresh, open=build)
    assert order == ["refresh", "open"]


def test_a_stream_is_ready_once_it_is_recovered() -> None:
    """Neither before its parts are open, nor before its publisher may commit, nor after they are closed."""
    spec = Opened().stream.spec
    stream = FollowedStream(spec)
    seen = [stream.ready]
    stream.open(SILENT)
    seen.append(stream.ready)
    stream.publisher.recover()
    seen.append(stream.ready)
    stream.close()
    assert [*seen, stream.ready] == [False, False, True, False]


def test_closing_twice_is_closing() -> None:
    """Whoever stops a stream need not know whether it is open."""
    opened = Opened()
    opened.stream.close()
    opened.stream.close()
    assert opened.stream.parts is None
