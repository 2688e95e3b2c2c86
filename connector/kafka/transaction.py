"""One stream's transactional producer.

The order of calls, and why:

1. `fence`: `init_transactions` aborts what a predecessor left open and makes every older producer of the same
   transactional id fail. Nothing is read before that: a zombie must not commit after our read.
2. `commit`: begin, produce, flush, check every delivery report, commit. Everything is encoded beforehand, nothing
   is fetched or awaited inside.
3. After `commit`, check the client's log. librdkafka retries EndTxn inside `commit_transaction` when the
   coordinator's connection is lost, and then returns success; the first EndTxn, arriving late, would commit the first
   half of the *next* transaction. So a commit during which that connection was lost counts as an unknown outcome, and
   the producer is never used again: the next one's fence aborts whatever a late request could still end.
4. One request in flight to a broker, and a delivery without an offset does not count. If a batch failed and a later
   one of the partition was acknowledged, librdkafka reports both as delivered: the broker would have refused the later
   one. But it does so only if it knows the producer. Otherwise (a new partition, or one not written to for a day) it
   accepts any first sequence, and the failed batch is lost in a clean commit (confluent-kafka-go issue 921).
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from connector.clock import Clock
from connector.errors import BrokerFatal, ConnectorError, Fenced, TransactionAborted, UnknownOutcome
from connector.events.record import Record
from connector.kafka.client import Settings, check_machine, construct, describe, unavailable
from connector.kafka.client import cause as cause_of
from connector.kafka.deliveries import counting
from connector.model.core import Deliveries

ProducerFactory = Callable[..., Any]
REAL_PRODUCER: ProducerFactory = partial(construct, Producer)

_FENCED: Final = {
    KafkaError._FENCED,  # noqa: SLF001  the client's own error codes begin with an underscore
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.PRODUCER_FENCED,
}
_CONSEQUENCES: Final = {
    KafkaError._PURGE_QUEUE,  # noqa: SLF001  as above
    KafkaError._PURGE_INFLIGHT,  # noqa: SLF001  as above
    KafkaError._INVALID_DIFFERENT_RECORD,  # noqa: SLF001  as above
    KafkaError._STATE,  # noqa: SLF001  as above
}
_MAX_SOCKET_MS: Final = 300_000  # the client's bound
_SOCKET_MARGIN_MS: Final = 100
_MAX_COMMIT_SECONDS: Final = (_MAX_SOCKET_MS - _SOCKET_MARGIN_MS) / 1000
_WITHOUT_OFFSET: Final = KafkaError(KafkaError._FAIL, "reported as delivered without an offset")  # noqa: SLF001  as above
_GONE: Final = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001  as above
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001  as above
}


class Transactions:
    """Transactions of one transactional id, one at a time. Not thread-safe; unusable after any error but an abort."""

    def __init__(  # noqa: PLR0913  what one producer is made of
        self,
        client: Settings,
        transactional_id: str,
        *,
        timeout: float,
        max_message_bytes: int,
        clock: Clock,
        producer: ProducerFactory = REAL_PRODUCER,
    ) -> None:
        self._timeout = timeout
        self._clock = clock
        self._log = _CoordinatorLog()
        self._forget()
        try:
            settings = _settings(client, transactional_id, timeout, max_message_bytes)
            self._producer = producer(settings, logger=self._log.logger)
        except KafkaException as error:
            check_machine(error)
            raise BrokerFatal(
                f"the Kafka client refuses its settings: {describe(cause_of(error))}", hint="see [kafka] client"
            ) from error

    def fence(self, timeout: float) -> None:
        """Shut out every older producer of this transactional id; abort what it left open.

        Raises `BrokerUnavailable`, `BrokerFatal`, or `Fenced` when another producer fences at the same moment.
        """
        try:
            self._producer.init_transactions(timeout)
        except KafkaException as error:
            if cause_of(error).code() in _FENCED:
                raise Fenced(f"fenced while fencing: {describe(cause_of(error))}") from error
            raise unavailable("taking over the stream", error) from error

    def commit(self, records: Sequence[Record], state_topic: str, state: Iterable[tuple[bytes, bytes | None]]) -> range:
        """Commit everything in one transaction; return the offsets from the first to the last state record.

        Raises `TransactionAborted` (nothing is visible), `Fenced`, `BrokerFatal` (nothing is visible) or
        `UnknownOutcome`; after any of them but the first, this object must be closed.
        """
        self._forget()
        try:
            self._producer.begin_transaction()
            self._produce(records, state_topic, state)
            self._flush()
        except (KafkaException, SystemError) as error:
            raise self._abort(next(iter(self._failures), cause_of(error))) from error
        if failures := self._failures:
            raise self._abort(failures[0])
        self._end()
        first, last = self._state.offsets or (0, -1)
        return range(first, last + 1)

    def close(self) -> None:
        """Drop what is queued and close the connections; an open transaction is left to the next fence."""
        try:
            # Not `Producer.close`: it would abort and flush, and wait for a broker that may be gone.
            self._producer.purge(in_queue=True, in_flight=True, blocking=False)
        except (KafkaException, RuntimeError):
            return  # nothing can be done for a producer that is being discarded
        finally:
            del self._producer

    @property
    def _failures(self) -> list[KafkaError]:
        return [error or _WITHOUT_OFFSET for error in (*self._events.failures, *self._state.failures)]

    def _forget(self) -> None:
        self._events, self._state = counting(), counting()
        self._log.clear()

    def _produce(self, records: Sequence[Record], topic: str, state: Iterable[tuple[bytes, bytes | None]]) -> None:
        delivered, bare = self._events, defaultdict[str, list[dict[str, Any]]](list)
        for to, key, value, headers, partition in records:
            if not headers and partition < 0:
                bare[to].append({"key": key, "value": value})
                continue
            deadline: float | None = None
            while True:
                try:
                    self._producer.produce(to, value, key, partition, on_delivery=delivered, headers=headers)
                except BufferError:
                    deadline = self._make_room(deadline)
                else:
                    break
        # A batch of the client's takes less of our time, and carries no headers.
        for to, rows in bare.items():
            self._produce_batch(to, rows, self._events)
        self._produce_batch(topic, [{"key": key, "value": value} for key, value in state], self._state)

    def _produce_batch(self, topic: str, messages: list[dict[str, Any]], delivered: Deliveries) -> None:
        deadline: float | None = None
        while True:
            self._producer.produce_batch(topic, messages, on_delivery=delivered)
            messages = [message for message in messages if "_error" in message]
            errors = [message.pop("_error") for message in messages]
            if refused := next((error for error in errors if error.code() != KafkaError._QUEUE_FULL), None):  # noqa: SLF001
                raise KafkaException(refused)
            if not messages:
                return
            deadline = self._make_room(deadline)

    def _make_room(self, deadline: float | None) -> float:
        """Wait for a full queue, as long as the transaction may last: until `deadline`, which begins with the first."""
        deadline = deadline or self._clock.monotonic() + self._timeout
        self._producer.poll(0.05)
        if self._failures or self._clock.monotonic() > deadline:
            raise KafkaException(KafkaError(KafkaError._QUEUE_FULL, "the queue does not drain"))  # noqa: SLF001
        return deadline

    def _flush(self) -> None:
        remaining = self._producer.flush(self._timeout)
        if remaining and not self._failures:
            raise KafkaException(KafkaError(KafkaError._MSG_TIMED_OUT, f"{remaining} records undelivered"))  # noqa: SLF001

    def _end(self) -> None:
        try:
            # Not -1: without a broker that would never end. What continues in the background ends with the producer.
            self._producer.commit_transaction(min(self._timeout, _MAX_COMMIT_SECONDS))
            self._producer.poll(0)
        except (KafkaException, SystemError) as error:
            inner = cause_of(error)
            if inner.txn_requires_abort():
                raise self._abort(inner) from error
            if inner.code() in _FENCED:
                # The coordinator answered: this epoch's transaction is not, and will not be, committed by us. Recovery
                # reads whether an earlier, unanswered attempt was.
                raise Fenced(f"fenced at commit: {describe(inner)}") from error
            raise UnknownOutcome(f"no clean answer to a commit: {describe(inner)}") from error
        if self._log.lost:
            raise UnknownOutcome("the coordinator's connection was lost during a commit that reported success")

    def _abort(self, error: KafkaError) -> ConnectorError:
        """Abort; return what the failure means once nothing of the batch is visible."""
        if error.code() in _FENCED or error.fatal():
            return Fenced(f"fenced in a transaction: {describe(error)}")
        try:
            self._producer.abort_transaction(min(self._timeout, _MAX_COMMIT_SECONDS))
            self._producer.poll(0)
        except (KafkaException, SystemError) as unclean:
            inner = cause_of(unclean)
            if inner.code() in _FENCED:
                return Fenced(f"fenced at abort: {describe(inner)}")
            return UnknownOutcome(f"no clean answer to an abort: {describe(inner)} (after {describe(error)})")
        if self._log.lost:
            return UnknownOutcome(f"the coordinator's connection was lost during an abort (after {describe(error)})")
        # Consequences of a failure may be reported before it: only the cause tells a permanent refusal.
        causes = [each for each in self._failures if each.code() not in _CONSEQUENCES]
        return _meaning((causes or [error])[0])


class _CoordinatorLog:
    """Watches the client's log for the loss of the transaction coordinator's connection.

    The client delivers its log lines in `poll`. Duration and return code do not show the loss: it reconnects at once.
    """

    def __init__(self) -> None:
        self.lost = False
        # Private, not from the global tree: two streams must not see each other's connections.
        self.logger = logging.Logger("connector.kafka.producer", logging.DEBUG)  # noqa: LOG001
        self.logger.addFilter(self._notice)

    def clear(self) -> None:
        """Forget losses from before the transaction."""
        self.lost = False

    def _notice(self, record: logging.LogRecord) -> bool:
        line = record.getMessage()
        if "TxnCoordinator" in line and "FAIL" in line:
            self.lost = True
        return False


def _meaning(error: KafkaError) -> ConnectorError:
    """Return what the cause of a clean abort means."""
    if error.code() in _GONE:
        hint = "the next error names it; to publish everything again: contentwire snapshot NAME --all"
        return TransactionAborted(f"a topic is gone: {describe(error)}", hint=hint)
    refusal = unavailable("publishing", error)
    if isinstance(refusal, BrokerFatal):
        return refusal
    return TransactionAborted(f"aborted: {describe(error)}", hint=refusal.hint)


def _settings(client: Settings, transactional_id: str, timeout: float, max_message_bytes: int) -> dict[str, Any]:
    milliseconds = round(timeout * 1000)
    return {
        # Small transactions are dominated by waiting: no lingering, quick retries, no Nagle.
        "linger.ms": 0,
        "retry.backoff.ms": 5,
        "socket.nagle.disable": True,
        "compression.type": "lz4",
        **client,
        "transactional.id": transactional_id,
        "transaction.timeout.ms": milliseconds,
        "message.timeout.ms": milliseconds * 3 // 4,
        # Above the commit's own limit, or a request that times out would be retried inside it. The client allows no
        # more than its own bound.
        "socket.timeout.ms": min(milliseconds + _SOCKET_MARGIN_MS, _MAX_SOCKET_MS),
        "max.in.flight.requests.per.connection": 1,
        "message.max.bytes": max_message_bytes,
        "partitioner": "murmur2_random",
        # The loss of a connection must reach the log whatever the operator prefers.
        "log.connection.close": True,
        "log_level": 6,
    }
