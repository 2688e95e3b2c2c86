"""Delivery reports, counted: by the compiled core where it is installed, else here."""

from typing import Any

from confluent_kafka import KafkaError, Message

from connector.model import core


class Deliveries:
    """A delivery callback. A record counts as delivered if it has an offset.

    `failures` are the errors in the order of the reports, None for a delivery without an offset; `offsets` are the
    lowest and the highest, None before the first.
    """

    def __init__(self) -> None:
        self.failures: list[KafkaError | None] = []
        self.offsets: tuple[int, int] | None = None

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        """Take note of one report."""
        offset = None if error else message.offset()
        if offset is None:
            self.failures.append(error)
            return
        lowest, highest = self.offsets or (offset, offset)
        self.offsets = min(lowest, offset), max(highest, offset)


def counting() -> core.Deliveries:
    """Return a callback for the records of one transaction."""
    made: Any = Deliveries() if core.CORE is None else core.CORE.Deliveries()
    counted: core.Deliveries = made
    return counted
