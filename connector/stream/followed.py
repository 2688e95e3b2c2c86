"""What following one stream shares: its spec, its parts while they are open, and whether it is to stop."""

import threading

from connector.stream.publisher import Publisher
from connector.stream.spec import Hooks, Parts, StreamSpec


class FollowedStream:
    """One owned stream. The thread that follows it opens and closes its parts; any thread may read `parts`."""

    def __init__(self, spec: StreamSpec) -> None:
        self.spec = spec
        self.stop = threading.Event()
        self.parts: Parts | None = None

    @property
    def publisher(self) -> Publisher:
        """The publisher; the parts MUST be open."""
        assert self.parts
        return self.parts.publisher

    @property
    def ready(self) -> bool:
        """Whether there is a publisher that may commit."""
        return self.parts is not None and self.parts.publisher.ready

    def open(self, hooks: Hooks) -> Parts:
        """Build the parts, with secrets as they are now."""
        self.spec.refresh()
        self.parts = self.spec.open(self.stop, hooks)
        return self.parts

    def close(self) -> None:
        """Close the parts, if they are open."""
        parts, self.parts = self.parts, None
        if parts:
            parts.publisher.close()
            parts.source.close()
