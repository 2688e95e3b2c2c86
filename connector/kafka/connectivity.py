"""Asks every few seconds whether Kafka answers this process: an outage must not pass for a quiet time.

It also receives what other processes hand on: webhook calls for streams that this one owns.

It asks by a consumer's metadata request, which creates no topic and is not an admin request: one of those to a
coordinator that outlives its broker ends the process (librdkafka issue 4605).
"""

import threading
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from connector.clock import Clock
from connector.errors import ConnectorError, starting_threads
from connector.kafka.client import Settings, create, explained

GROUP: Final = "contentwire-link"
"""The client names this group without joining it: nothing is ever committed there."""

_TIMEOUT: Final = 5.0
_PAUSE: Final = 3.0
_POLL_TIMEOUT: Final = 0.5


class Link:
    """Asks for `topic` from `start` to `stop`, in a separate thread.

    `changed` is called in that thread: with an error once Kafka does not answer, with None and the seconds that lasted
    once it does again. `heard` is called with each new record of the topic `wake_ups`.
    """

    def __init__(  # noqa: PLR0913  what is asked, and who is told
        self,
        client: Settings,
        topic: str,
        *,
        clock: Clock,
        changed: Callable[[ConnectorError | None, float], None],
        wake_ups: str | None = None,
        heard: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._changed = changed
        self._wake_ups = wake_ups
        self._heard = heard
        self.error: ConnectorError | None = None
        self.broken_at: float | None = None
        self._topic = topic
        self._seen: list[KafkaError] = []
        self._stop = threading.Event()
        settings: Any = {
            **client,
            "group.id": GROUP,
            "enable.auto.commit": False,
            "error_cb": self._seen.append,
        }
        self._consumer: Consumer = create(Consumer, settings)
        self._thread = threading.Thread(target=self._run, name="kafka-link", daemon=True)

    def start(self) -> None:
        """Start asking."""
        if self._wake_ups:
            self._consumer.assign([TopicPartition(self._wake_ups, 0, OFFSET_END)])
        with starting_threads():
            self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread is still asking."""
        return self._thread.is_alive()

    def stop(self, timeout: float) -> None:
        """Stop asking; give up waiting for the last answer after `timeout` seconds."""
        self._stop.set()
        self._thread.join(timeout)

    def ask(self) -> None:
        """Ask once and note why Kafka does not answer (`error`), and since when (`broken_at`, seconds since 1970)."""
        asked_at = self._clock.wall()
        self._seen.clear()
        try:
            self._consumer.list_topics(self._topic, timeout=_TIMEOUT)
        except KafkaException as error:
            self._consumer.poll(0)
            self._broken(explained("checking that it is there", error, self._seen), asked_at)
        else:
            self._answered()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.ask()
            asked_at = self._clock.monotonic()
            while not self._stop.is_set() and self._clock.monotonic() - asked_at < _PAUSE:
                self._listen()
        self._consumer.close()

    def _listen(self) -> None:
        if self._wake_ups is None:
            self._clock.wait(_PAUSE, self._stop)
            return
        message = self._consumer.poll(_POLL_TIMEOUT)
        value = message.value() if message is not None and message.error() is None else None
        if isinstance(value, bytes):
            self._heard(value)

    def _broken(self, error: ConnectorError, at: float) -> None:
        self.error = error
        if self.broken_at is None:
            self.broken_at = at
            self._changed(error, 0.0)

    def _answered(self) -> None:
        broken_at, self.error, self.broken_at = self.broken_at, None, None
        if broken_at is not None:
            self._changed(None, self._clock.wall() - broken_at)
