"""What this host allows a process: open files, threads, and a folder for what does not fit into memory."""

import gc
import os
import resource
import shutil
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from connector.errors import starting_threads

_PIDS: Final = Path("/sys/fs/cgroup/pids.max")

_COLLECT_AT: Final = 200_000

# If the hard limit is "none", a system may still accept no more than one of these.
_COMMON_MAXIMA: Final = (1 << 20, 10_240)


def raise_descriptors() -> int:
    """Let this process have as many files open as it may; return that number.

    Never raises: what the system refuses stays as it was.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for wanted in (hard, *_COMMON_MAXIMA):
        if _number(wanted) <= descriptors():
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):
            continue
        break
    return descriptors()


def descriptors() -> int:
    """Return how many files this process may have open; no limit is a very large number."""
    return _number(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def needed(connections: int, brokers: int = 1) -> int:
    """Return how many files a process that follows this many connections may come to have open.

    Each connection has two Kafka clients, the process itself two more; a client opens three files for every broker.
    """
    return 49 + 8 * brokers + connections * (10 + 6 * brokers)


def threads() -> int:
    """Return how many threads this process may have, by its own limits and its control group's."""
    allowed = [] if os.geteuid() == 0 else [_number(resource.getrlimit(resource.RLIMIT_NPROC)[0])]
    with suppress(OSError, ValueError):  # not every system has it
        allowed += [int(line) for line in _PIDS.read_text(encoding="ascii").split() if line.isdigit()]
    return min(allowed, default=1 << 62)


def needed_threads(connections: int, brokers: int = 1) -> int:
    """Return how many threads a process that follows this many connections may come to have.

    A Kafka client has two of its own and one for every broker, whether known or only named.
    """
    clients = 2 + 3 * connections
    return 24 + 4 * connections + clients * (3 + 2 * brokers)


def expect_threads(count: int) -> None:
    """Prove that this process may have `count` more threads now, by starting them for a moment.

    For a library that ends the process when it is refused one. Raises `LocalTrouble` if there are fewer.
    """
    enough = threading.Event()
    started = []
    try:
        for _ in range(count):
            thread = threading.Thread(target=enough.wait, name="room", daemon=True)
            with starting_threads():
                thread.start()
            started.append(thread)
    finally:
        enough.set()
        for thread in started:
            thread.join()


def scratch() -> tuple[str, int]:
    """Return the folder for temporary files and its free bytes. Raises `OSError` if no folder can be written to."""
    folder = tempfile.gettempdir()
    with tempfile.TemporaryFile(dir=folder):
        return folder, shutil.disk_usage(folder).free


def _number(limit: int) -> int:
    return 1 << 62 if limit == resource.RLIM_INFINITY else limit


def collect_rarely() -> None:
    """Let the garbage collector look neither at what is loaded by now nor, a few times a batch, at what is not garbage.

    A batch is thousands of small lists and tuples without a circle among them, which end with their last use.
    """
    gc.freeze()
    gc.set_threshold(_COLLECT_AT, 10, 10)
