"""What the streams of a process look at again and again, asked for together: one request a round, not one a stream."""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Final, Generic, TypeVar

from confluent_kafka import IsolationLevel, TopicCollection, TopicPartition
from confluent_kafka.admin._listoffsets import OffsetSpec

from connector.clock import Clock
from connector.kafka.admin import Admin
from connector.kafka.registry import Registry

V = TypeVar("V")

_TIMEOUT: Final = 3.0  # short: whoever gets no answer here asks alone, and takes its time
_MAX_AGE: Final = 2.5
_FORGET_AFTER: Final = 60.0
_AT_ONCE: Final = 500

Ask = Callable[[Any, Sequence[str]], Mapping[str, Future[Any]]]


class Round(Generic[V]):
    """Answers by name, got by `ask` for all names that were of interest within the last minute. Safe from any thread.

    `lent` lends the client that is asked; `read` makes an answer of what a request gives.
    """

    def __init__(
        self, lent: Callable[[], AbstractContextManager[Any]], ask: Ask, read: Callable[[Any], V], clock: Clock
    ) -> None:
        self._lent = lent
        self._ask = ask
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._wanted: dict[str, float] = {}
        self._answers: dict[str, V | None] = {}
        self._asked_at = -math.inf

    def answer(self, name: str) -> V | None:
        """Return what was found a few seconds ago at most, None where nothing was: then ask alone.

        So does whoever asks for the first time: thousands of streams that begin are not each a round of their own.
        """
        with self._lock:
            now = self._clock.monotonic()
            new = name not in self._wanted
            self._wanted[name] = now
            if new:
                return None
            if now - self._asked_at >= _MAX_AGE:
                self._go_round(now)
            return self._answers.get(name)

    def _go_round(self, now: float) -> None:
        self._wanted = {name: at for name, at in self._wanted.items() if now - at < _FORGET_AFTER}
        names = [*self._wanted]
        self._answers = {}
        for start in range(0, len(names), _AT_ONCE):
            self._answers |= self._found(names[start : start + _AT_ONCE])
        self._asked_at = self._clock.monotonic()

    def _found(self, names: Sequence[str]) -> dict[str, V | None]:
        try:
            with self._lent() as client:
                return self._answered(client, names)
        except Exception:  # noqa: BLE001  whatever is wrong, whoever asks alone is told
            return {}

    def _answered(self, client: Any, names: Sequence[str]) -> dict[str, V | None]:
        """Return what is found; raises the last error if nothing is: then the client may be what is wrong."""
        found: dict[str, V | None] = {}
        failed: Exception | None = None
        for name, future in self._ask(client, names).items():
            try:
                found[name] = self._read(future.result(2 * _TIMEOUT))
            except Exception as error:  # noqa: BLE001  as above
                found[name], failed = None, error
        if failed and all(answer is None for answer in found.values()):
            raise failed
        return found


class Looks:
    """Looks at the topics of one cluster and at the ends of its states. Safe from any thread."""

    def __init__(self, admin: Admin, clock: Clock) -> None:
        self._ends = Round(admin.lent, _ask_ends, lambda found: int(found.offset), clock)
        self._topics: Round[Any] = Round(admin.lent, _ask_topics, lambda found: found, clock)

    def end(self, state_topic: str) -> int | None:
        """Return where a topic's only partition ended a few seconds ago, None where that is not known."""
        return self._ends.answer(state_topic)

    def topic(self, name: str) -> Any:
        """Return the description of a topic of a few seconds ago, None where there is none."""
        return self._topics.answer(name)


class Texts:
    """Schemas by id, as the registry had them a few seconds ago: streams that compare the same ids ask it once.

    Only for streams with the same registry. Safe from any thread.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[int, tuple[float, str | None]] = {}

    def by_id(self, registry: Registry, schema_id: int) -> str | None:
        """Return what `Registry.by_id` does; raises what it raises."""
        with self._lock:
            asked_at, text = self._found.get(schema_id, (-_MAX_AGE, None))
        if self._clock.monotonic() - asked_at < _MAX_AGE:
            return text
        # Not under the lock: a registry that does not answer would let one stream after the other wait.
        asked_at, text = self._clock.monotonic(), registry.by_id(schema_id)
        with self._lock:
            self._found[schema_id] = asked_at, text
        return text


def _ask_ends(client: Any, names: Sequence[str]) -> Mapping[str, Future[Any]]:
    wanted = {TopicPartition(name, 0): OffsetSpec.latest() for name in names}  # type: ignore[no-untyped-call]
    futures = client.list_offsets(wanted, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=_TIMEOUT)
    return {partition.topic: future for partition, future in futures.items()}


def _ask_topics(client: Any, names: Sequence[str]) -> Mapping[str, Future[Any]]:
    found: Mapping[str, Future[Any]] = client.describe_topics(TopicCollection([*names]), request_timeout=_TIMEOUT)
    return found
