"""A supervisor as the operators' port sees it."""

from collections.abc import Sequence

from connector.cms.webhook import Handled, WebhookCall
from connector.stream.status import StreamStatus


class Streams:
    """A supervisor as the server sees it: the test sets what it says, and it records what it is told."""

    def __init__(self) -> None:
        self.streams: list[StreamStatus] = []
        self.turned = 0.0
        self.ended: list[str] = []
        self.calls: list[tuple[str, Sequence[WebhookCall]]] = []

    def status(self) -> Sequence[StreamStatus]:
        """Return the test's streams."""
        return self.streams

    def seconds_since_turn(self) -> float:
        """Return the test's pause."""
        return self.turned

    def dead(self) -> Sequence[str]:
        """Return the test's ended threads."""
        return self.ended

    def wake(self, connection: str, calls: Sequence[WebhookCall]) -> Handled:
        """Accept calls to blog that carry the right secret."""
        self.calls.append((connection, calls))
        if connection != "blog":
            return Handled("unknown")
        return Handled("accepted" if calls[0].headers.get("x-secret") == "right" else "wrong")


def stream(**facts: object) -> StreamStatus:
    """Return a stream with these facts."""
    return StreamStatus(**{"connection": "blog", "vendor": "acme", "state": "running", "owned": True, **facts})  # type: ignore[arg-type]
