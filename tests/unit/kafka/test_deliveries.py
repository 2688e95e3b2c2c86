"""Delivery reports: counted alike by the compiled core and in Python."""

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError

from connector.kafka.deliveries import Deliveries, counting

FAILED = KafkaError(KafkaError._MSG_TIMED_OUT)


class Report:
    """The message of a report."""

    def __init__(self, offset: int | None) -> None:
        self._offset = offset

    def offset(self) -> int | None:
        """Return where it stands."""
        return self._offset


@pytest.mark.parametrize("made", [Deliveries, counting], ids=["python", "core"])
def test_offsets_span_what_was_delivered(made: Callable[[], Any]) -> None:
    """Whatever the order of the reports."""
    deliveries = made()
    nothing: Any = deliveries.offsets
    assert nothing is None
    for offset in (7, 3, 9, 4):
        deliveries(None, Report(offset))
    assert (tuple(deliveries.offsets), list(deliveries.failures)) == ((3, 9), [])


@pytest.mark.parametrize("made", [Deliveries, counting], ids=["python", "core"])
def test_a_failure_is_kept_and_so_is_a_delivery_without_an_offset(made: Callable[[], Any]) -> None:
    """Neither counts as delivered."""
    deliveries = made()
    deliveries(FAILED, Report(None))
    deliveries(None, Report(None))
    deliveries(FAILED, Report(5))
    assert (list(deliveries.failures), deliveries.offsets) == ([FAILED, None, FAILED], None)
