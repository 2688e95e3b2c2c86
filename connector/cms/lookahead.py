"""Reads one item ahead: a thread gets the next one while the reader is busy. Knows nothing of pages."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Final, NamedTuple, Protocol, TypeVar

from connector.errors import starting_threads

T = TypeVar("T")

_TICK: Final = 0.1


class Ahead(Protocol):
    """A way to get the items of `found` for a reader that takes them one by one.

    It yields them in order, then raises what `found` raised. It asks for at most one item ahead of the reader, and for
    none once the reader has closed the generator. It ends early, between two items, when `stop` is set. `done` is
    called once `found` will not be asked again.
    """

    def __call__(self, found: Iterator[T], stop: threading.Event, done: Callable[[], None], /) -> Generator[T]:
        """Return the items."""
        ...


def look_ahead(found: Iterator[T], stop: threading.Event, done: Callable[[], None]) -> Generator[T]:
    """Ask `found` in a separate thread, so that `stop` ends the wait for a slow item.

    Raises `LocalTrouble` if the system has no thread left.
    """
    ahead: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
    room, abandoned = threading.Semaphore(1), threading.Event()

    def work() -> None:
        try:
            while room.acquire() and not (abandoned.is_set() or stop.is_set()):
                ahead.put(next(found))
        except StopIteration:
            ahead.put(_End())
        except BaseException as error:  # noqa: BLE001  handed over to the reader's thread
            ahead.put(_End(error))
        finally:
            done()

    # A daemon: an item that never comes must not hold up the end of the process.
    with starting_threads():
        threading.Thread(target=work, daemon=True, name="look-ahead").start()
    try:
        while not isinstance(item := _next(ahead, room, stop), _End):
            yield item
        error, item = item.error, _End()
        if error:
            try:
                raise error
            finally:
                # Its frames hold this one, and what was read so far: no circle must keep that.
                del error
    finally:
        abandoned.set()
        room.release()


class _End(NamedTuple):
    """Follows the last item; `error` is why there are no more, if something went wrong."""

    error: BaseException | None = None


def _next(ahead: "queue.SimpleQueue[T | _End]", room: threading.Semaphore, stop: threading.Event) -> T | _End:
    # Before the wait, not after it: the next request must not wait for this thread to wake up.
    room.release()
    while not stop.is_set():
        try:
            return ahead.get(timeout=_TICK)
        except queue.Empty:
            continue
    return _End()
