"""Admin clients: each costs threads and connections, so that the streams of a process share one."""

import threading
from typing import Any

from confluent_kafka.admin import AdminClient

from connector.kafka.client import Settings, create


class Admin:
    """One admin client. Safe from any thread; made when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Any = None

    @property
    def client(self) -> Any:
        """The client, which MUST be held until all of its answers are there: it takes what is open with it.

        Raises what `create` raises.
        """
        with self._lock:
            if self._client is None:
                self._client = create(AdminClient, self._settings)
            return self._client

    def replace(self, outdated: Any) -> None:
        """Let the next one who asks have another client than `outdated`, unless somebody has seen to that already."""
        with self._lock:
            if self._client is outdated:
                self._client = None
