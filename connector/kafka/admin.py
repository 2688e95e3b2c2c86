"""Admin clients: each costs threads and connections, so that the streams of a process share one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from connector.errors import BrokerFatal
from connector.kafka.client import Settings, cause, create, refused


class Admin:
    """One admin client at a time. Safe from any thread; made when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Any = None

    @contextmanager
    def lent(self) -> Iterator[Any]:
        """Lend the client for a request and all of its answers; if none comes, the next who asks gets another client.

        A client keeps to the controller and the leaders that it has found, for minutes after they are gone. Raises
        what `create` raises.
        """
        client = self._current()
        try:
            yield client
        except Exception as error:
            if not _answers(error):
                self.replace(client)
            raise

    def replace(self, outdated: Any) -> None:
        """Let the next one who asks have another client than `outdated`, unless somebody has seen to that already."""
        with self._lock:
            if self._client is outdated:
                self._client = None

    def _current(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = create(AdminClient, self._settings)
            return self._client


def _answers(error: Exception) -> bool:
    """Return whether an error is what a broker says of the request, and no sign of a broker that is gone."""
    if isinstance(error, KafkaException):
        inner = cause(error)
        return refused(inner) or inner.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    return isinstance(error, BrokerFatal)
