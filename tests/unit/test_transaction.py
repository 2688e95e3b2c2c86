"""What a transaction's failure means, by what the Kafka client reports of it."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from confluent_kafka import KafkaError

from connector.batch import Record
from connector.errors import BrokerFatal, ConnectorError, TransactionAborted
from connector.kafka.transaction import Transactions

PURGED = KafkaError._PURGE_QUEUE
TOO_LARGE = KafkaError.MSG_SIZE_TOO_LARGE


class FailingProducer:
    """A producer whose deliveries fail, in this order; its aborts are clean."""

    def __init__(self, codes: Sequence[int]) -> None:
        self._codes = codes
        self._reports: list[Callable[[KafkaError, Any], None]] = []

    def begin_transaction(self) -> None:
        """Begin."""

    def produce(self, *_: Any, on_delivery: Callable[[KafkaError, Any], None], headers: Any) -> None:
        """Take a record."""
        self._reports.append(on_delivery)

    def flush(self, _timeout: float) -> int:
        """Report every delivery as failed."""
        for report, code in zip(self._reports, self._codes, strict=True):
            report(KafkaError(code), None)
        return 0

    def abort_transaction(self, _timeout: float) -> None:
        """Abort."""

    def poll(self, _timeout: float) -> int:
        """Serve nothing."""
        return 0


def failed(*codes: int) -> ConnectorError:
    """Return what a transaction raises whose records fail with these codes."""
    transactions = Transactions(
        {}, "t", timeout=20, max_message_bytes=1000, producer=lambda *_args, **_kwargs: FailingProducer(codes)
    )
    with pytest.raises(ConnectorError) as caught:
        transactions.commit([Record("t", b"k", b"v", [])] * (len(codes) - 1), "s", [(b"k", b"v")])
    return caught.value


@pytest.mark.parametrize("codes", [(TOO_LARGE, PURGED), (PURGED, TOO_LARGE), (PURGED, PURGED, TOO_LARGE)])
def test_a_refusal_for_good_is_told_from_what_it_drags_along(codes: tuple[int, ...]) -> None:
    """The records behind a refused one are purged, and may be reported first: trying again would refuse for ever."""
    error = failed(*codes)
    assert isinstance(error, BrokerFatal)
    assert "too large" in str(error)


def test_what_only_was_purged_is_tried_again() -> None:
    """Nothing is visible, and nothing speaks against another attempt."""
    assert isinstance(failed(PURGED, PURGED), TransactionAborted)
