"""What a stream reports to. A stream knows no metrics: the process counts what is reported."""

from typing import Protocol

from connector.errors import ConnectorError
from connector.events.record import Tally


class Observer(Protocol):
    """What a followed stream reports to; every call names the connection."""

    def batch(self, connection: str, tally: Tally, seconds: float, at: float) -> None:
        """Count what is in a batch, committed at `at` in a transaction of `seconds`."""
        ...

    def page(self, connection: str, items: int, size: int, seconds: float, at: float) -> None:
        """Count a page of `items` items in `size` bytes that took `seconds` and arrived at `at`."""
        ...

    def failed(self, connection: str, error: ConnectorError) -> None:
        """Count what an error stands for: a retry, a transaction, a request to the CMS."""
        ...

    def index_size(self, connection: str, entries: int) -> None:
        """Note the number of keys in the index."""
        ...

    def held_deletes(self, connection: str, n: int) -> None:
        """Note how many deletes a reconciliation holds back, 0 for none."""
        ...

    def walk_restarts(self, connection: str) -> None:
        """Count a walk that starts again."""
        ...
