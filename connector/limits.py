"""What the operating system grants a process: open files above all."""

import resource
from typing import Final

_A_PROCESS: Final = 64
_A_CONNECTION: Final = 24


def raise_descriptors() -> int:
    """Raise the soft limit of open files to the hard one, which needs no right; return the limit in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            return soft  # some systems report a hard limit that they do not grant
    return hard


def needed(connections: int) -> int:
    """Return how many files a process that owns so many streams may have open at once, with some to spare."""
    return _A_PROCESS + _A_CONNECTION * connections
