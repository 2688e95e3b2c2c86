"""Work done beside its caller: at once, or in a thread of its own."""

import threading
from collections.abc import Callable

from connector.errors import LocalTrouble, starting_threads

Aside = Callable[[Callable[[], None]], Callable[[], None]]
"""Begins some work; what it returns waits for its end, and raises what it raised."""


def at_once(work: Callable[[], None]) -> Callable[[], None]:
    """Do the work before anything else; what it raises is raised here already."""
    work()
    return lambda: None


def in_thread(work: Callable[[], None]) -> Callable[[], None]:
    """Do the work in a thread; at once, if the system has none left."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  for whoever waits
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True, name="aside")
    try:
        with starting_threads():
            thread.start()
    except LocalTrouble:
        return at_once(work)

    def wait() -> None:
        thread.join()
        if errors:
            error = errors.pop()
            try:
                raise error
            finally:
                # Its frames hold this one, and all that was to be done: no circle must keep that.
                del error

    return wait
