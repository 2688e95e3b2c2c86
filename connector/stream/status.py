"""What one process knows about its streams, as shown by the status page, the metrics and the command line."""

from typing import Final, Literal, get_args

import msgspec

from connector.model.checkpoint import Phase

StreamState = Literal[
    "connecting",  # Kafka has not answered yet
    "disconnected",  # Kafka no longer answers
    "standby",  # this process does not own the stream
    "recovering",  # fencing and reading back
    "running",
    "retrying",  # something outside does not answer
    "paused",
    "finished",  # a snapshot was all that was wanted
    "stopped",  # an operator has to act
    "walk_starved",
    "deletes_held",
]
STATES: tuple[StreamState, ...] = get_args(StreamState)
HALTED: Final[frozenset[StreamState]] = frozenset({"stopped", "walk_starved", "deletes_held"})
"""States in which an operator has to act."""

UNREADY: Final[frozenset[StreamState]] = HALTED | {"connecting", "disconnected"}
"""States in which a process is not ready, whatever the stream has committed before."""


class StreamStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One stream as this process sees it.

    - `owned`: this process follows it. `phase`, `epoch`, `page`, `sequence`: of its checkpoint, as far as known here.
    - `committed_at_ms`: milliseconds since 1970 of the last commit, None before the first.
    - `freshness`: seconds from the CMS's clock to that commit, for its newest change.
    - `since_ms`: when the state began, milliseconds since 1970. `dead_letters`: of the stream, as far as known here.
    - `error`, `hint`: what is wrong and what to do next, or empty.
    """

    connection: str
    vendor: str
    state: StreamState
    owned: bool = False
    phase: Phase | None = None
    epoch: int = 0
    page: int = 0
    sequence: int = 0
    committed_at_ms: int | None = None
    freshness: float | None = None
    index_size: int = 0
    dead_letters: int = 0
    since_ms: int = 0
    error: str = ""
    hint: str = ""

    @property
    def ready(self) -> bool:
        """Whether the stream lets this process count as ready.

        Kafka answers, and the stream belongs to another process, or has committed and needs no operator.
        """
        if self.state in UNREADY:
            return False
        return not self.owned or self.committed_at_ms is not None or self.phase == "streaming"
