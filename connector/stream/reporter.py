"""What a follower says of its stream: to its process as a `StreamStatus`, and in the state topic to everybody else."""

import msgspec

from connector.clock import now_ms
from connector.errors import (
    BrokerUnavailable,
    ConnectorError,
    DeletesHeld,
    RegistryUnavailable,
    StreamStopped,
    WalkStarved,
)
from connector.model.checkpoint import Checkpoint
from connector.stream.followed import FollowedStream
from connector.stream.status import StreamState, StreamStatus


class Reporter:
    """The status of one owned stream. Any thread may read `status`; only the follower's thread calls the rest."""

    def __init__(self, stream: FollowedStream) -> None:
        self._stream = stream
        self._spec = spec = stream.spec
        self._status = StreamStatus(
            connection=spec.connection,
            vendor=spec.vendor.name,
            state="recovering",
            owned=True,
            since_ms=now_ms(spec.clock),
        )

    @property
    def status(self) -> StreamStatus:
        """What is known of the stream now; a request that takes too long shows before it fails."""
        status, parts = self._status, self._stream.parts
        since = parts.source.waiting_since if parts else None
        taken = 0.0 if since is None else self._spec.clock.monotonic() - since
        if status.state != "running" or taken < self._spec.pace.overdue:
            return status
        return msgspec.structs.replace(
            status,
            state="retrying",
            since_ms=now_ms(self._spec.clock) - round(taken * 1000),
            error=f"a request to {self._spec.vendor.base_url} is overdue",
            hint="it will time out and be tried again: check the network and the vendor's status page",
        )

    def set_state(self, state: StreamState, error: str = "", hint: str = "") -> None:
        """Say in which state the stream is; the next transaction carries it into the state topic."""
        error, hint = self._spec.mask(error), self._spec.mask(hint)
        since_ms = self._status.since_ms if state == self._status.state else now_ms(self._spec.clock)
        self._status = msgspec.structs.replace(self._status, state=state, error=error, hint=hint, since_ms=since_ms)
        if self._stream.parts:
            publisher = self._stream.publisher
            publisher.set_state(state, error, hint, since_ms)
            if publisher.ready:
                self.note(publisher.checkpoint)

    def note(self, checkpoint: Checkpoint, freshness: float | None = None) -> None:
        """Say how far the stream has come."""
        publisher, position = self._stream.publisher, checkpoint.position
        self._status = msgspec.structs.replace(
            self._status,
            phase=position.phase,
            epoch=position.epoch,
            page=position.page,
            sequence=checkpoint.progress.sequence,
            committed_at_ms=checkpoint.committed_at or None,
            freshness=self._status.freshness if freshness is None else freshness,
            index_size=len(publisher.index),
            dead_letters=publisher.report.dead_letters,
        )


def state_of(error: ConnectorError) -> StreamState:
    """Return the state that a stream is in because of an error."""
    match error:
        case WalkStarved():
            return "walk_starved"
        case DeletesHeld():
            return "deletes_held"
        case StreamStopped():
            return "stopped"
        case BrokerUnavailable():
            return "disconnected"
        case RegistryUnavailable():
            return "retrying"
    return "recovering" if error.remedy == "recover" else "retrying"
