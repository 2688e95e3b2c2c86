"""What a transaction's failure means, given what the Kafka client reports."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from confluent_kafka import KafkaError

from connector.errors import BrokerFatal, ConnectorError, TransactionAborted
from connector.events.record import Record
from connector.kafka.transaction import Transactions
from connector.testing import ManualClock

PURGED = KafkaError._PURGE_QUEUE
TOO_LARGE = KafkaError.MSG_SIZE_TOO_LARGE


class Unacknowledged:
    """A message that the client reports as delivered because a later one was."""

    def offset(self) -> None:
        """Return None: nobody reported one."""


class FailingProducer:
    """A producer whose deliveries fail in this order (0: no error, but no offset either); its aborts are clean."""

    def __init__(self, codes: Sequence[int]) -> None:
        self._codes = codes
        self._reports: list[Callable[[KafkaError | None, Any], None]] = []

    def begin_transaction(self) -> None:
        """Begin."""

    def produce(self, *_: Any, on_delivery: Callable[[KafkaError | None, Any], None], headers: Any) -> None:
        """Take a record."""
        self._reports.append(on_delivery)

    def produce_batch(self, _topic: str, messages: list[dict[str, Any]], *, on_delivery: Callable[..., None]) -> int:
        """Take records without headers."""
        self._reports += [on_delivery] * len(messages)
        return len(messages)

    def flush(self, _timeout: float) -> int:
        """Report every delivery."""
        for report, code in zip(self._reports, self._codes, strict=True):
            report(KafkaError(code) if code else None, Unacknowledged())
        return 0

    def abort_transaction(self, _timeout: float) -> None:
        """Abort."""

    def poll(self, _timeout: float) -> int:
        """Serve nothing."""
        return 0


def failed(*codes: int) -> ConnectorError:
    """Return what a transaction raises if its records fail with these codes."""
    transactions = Transactions(
        {},
        "t",
        timeout=20,
        max_message_bytes=1000,
        clock=ManualClock(),
        producer=lambda *_args, **_kwargs: FailingProducer(codes),
    )
    with pytest.raises(ConnectorError) as caught:
        transactions.commit([Record("t", b"k", b"v", [])] * (len(codes) - 1), "s", [(b"k", b"v")])
    return caught.value


class FullProducer(FailingProducer):
    """A producer whose queue stays full, however long it is served."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__([])
        self._clock = clock

    def produce(self, *_: Any, on_delivery: Callable[[KafkaError | None, Any], None], headers: Any) -> None:
        """Refuse a record."""
        raise BufferError

    def produce_batch(self, _topic: str, messages: list[dict[str, Any]], *, on_delivery: Callable[..., None]) -> int:
        """Refuse all of them."""
        del on_delivery
        for message in messages:
            message["_error"] = KafkaError(KafkaError._QUEUE_FULL)
        return 0

    def poll(self, timeout: float) -> int:
        """Serve for `timeout` seconds."""
        self._clock.wait(timeout)
        return 0


@pytest.mark.parametrize("records", [[], [Record("t", b"k", b"v", [])]])
def test_a_full_queue_is_waited_for_as_long_as_a_transaction_may_last(records: list[Record]) -> None:
    """Whatever does not fit. After that nothing is visible, and it is tried again."""
    clock = ManualClock()
    transactions = Transactions(
        {}, "t", timeout=20, max_message_bytes=1000, clock=clock, producer=lambda *_args, **_kwargs: FullProducer(clock)
    )
    with pytest.raises(TransactionAborted, match="does not drain"):
        transactions.commit(records, "s", [(b"k", b"v")])
    assert 20 < clock.monotonic() < 21


class CrampedProducer(FailingProducer):
    """A producer with room for two records at a time, and one that it never takes."""

    def __init__(self) -> None:
        super().__init__([])
        self.taken: list[bytes] = []
        self._room = 2

    def produce_batch(self, _topic: str, messages: list[dict[str, Any]], *, on_delivery: Callable[..., None]) -> int:
        """Take what there is room for, from the first on."""
        for message in messages:
            if message["key"] == b"never":
                message["_error"] = KafkaError(TOO_LARGE)
            elif self._room:
                self._room -= 1
                self.taken.append(message["key"])
                self._reports.append(on_delivery)
            else:
                message["_error"] = KafkaError(KafkaError._QUEUE_FULL)
        return 2

    def flush(self, _timeout: float) -> int:
        """Deliver what was taken."""
        for at, report in enumerate(self._reports):
            report(None, Acknowledged(at))
        return 0

    def commit_transaction(self, _timeout: float) -> None:
        """Commit."""

    def poll(self, _timeout: float) -> int:
        """Make room for two more."""
        self._room = 2
        return 0


class Acknowledged:
    """A message that is delivered."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def offset(self) -> int:
        """Return where it stands."""
        return self._offset


def test_what_does_not_fit_into_the_queue_follows() -> None:
    """Each state record once, in order; one that can never be sent fails the transaction."""
    cramped = CrampedProducer()
    transactions = Transactions(
        {}, "t", timeout=20, max_message_bytes=1000, clock=ManualClock(), producer=lambda *_args, **_kwargs: cramped
    )
    keys = [b"a", b"b", b"c", b"d", b"e"]
    assert transactions.commit([], "s", [(key, b"v") for key in keys]) == range(5)
    assert cramped.taken == keys
    with pytest.raises(BrokerFatal):
        transactions.commit([], "s", [(b"never", b"v")])


@pytest.mark.parametrize("codes", [(TOO_LARGE, PURGED), (PURGED, TOO_LARGE), (PURGED, PURGED, TOO_LARGE)])
def test_a_permanent_refusal_is_distinguished_from_its_consequences(codes: tuple[int, ...]) -> None:
    """The records after a refused one are purged, and may be reported first: trying again would never help."""
    error = failed(*codes)
    assert isinstance(error, BrokerFatal)
    assert "too large" in str(error)


def test_what_was_only_purged_is_tried_again() -> None:
    """Nothing is visible, and nothing rules out another attempt."""
    assert isinstance(failed(PURGED, PURGED), TransactionAborted)


@pytest.mark.parametrize("records", [1, 3])
def test_a_delivery_without_an_offset_commits_nothing(records: int) -> None:
    """The client counts batches as delivered because a later one was; a broker may have dropped them."""
    error = failed(*[0] * records)
    assert isinstance(error, TransactionAborted)
    assert "without an offset" in str(error)


def test_one_request_is_in_flight() -> None:
    """So no later batch can be acknowledged before a failed one; `[kafka] client` cannot change that."""
    given: dict[str, Any] = {}
    wanted = {"max.in.flight.requests.per.connection": "5"}
    Transactions(
        wanted,
        "t",
        timeout=20,
        max_message_bytes=1000,
        clock=ManualClock(),
        producer=lambda settings, **_: given.update(settings),
    )
    assert given["max.in.flight.requests.per.connection"] == 1
