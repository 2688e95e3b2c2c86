"""The process that `run` is: the streams, the operators' port, and an end within ten seconds of a signal."""

import gc
import os
import signal
import threading
import time
from collections.abc import Sequence
from typing import Final

from connector import __version__, logs, peers, wiring
from connector.config import Config
from connector.kafka.cluster import Cluster
from connector.metrics import CONTENT_TYPE, Metrics
from connector.server import Server
from connector.status import StreamStatus
from connector.supervisor import Outcome, Supervisor

_EXIT_CODES: Final = {"current": 0, "stopped": 1, "unreachable": 3, "interrupted": 1}
_BY_SIGNAL: Final = 128
_FAREWELL: Final = 9.5  # seconds from a signal to the end, whatever still works: nothing open is ever visible
_PATIENCE: Final = 15.0
_TURN: Final = 0.1


class Service:
    """Every stream of a configuration, followed by this process. With `once`, until each is current or cannot be.

    `give_up_after`: how many seconds something may stay unreachable before a pass with `once` ends.
    """

    def __init__(self, config: Config, *, once: bool, give_up_after: float) -> None:
        self._config = config
        self._metrics = Metrics()
        self._once = once
        self._plans = [wiring.plan(config, connection) for connection in config.connections.values()]
        self._signature = wiring.signature(config)
        self._client = {"client.id": peers.client_id(self._signature), **config.kafka.properties()}
        self._patience = give_up_after if once else _PATIENCE
        self._supervisor = Supervisor(self._plans, self._client, config.kafka.prefix, self._metrics, once=once)
        self._supervisor.give_up_after = give_up_after
        self._begun = False
        self._received = 0
        self._received_at = 0.0
        self._outcome: Outcome = "interrupted"
        self._error: Exception | None = None

    def status(self) -> Sequence[StreamStatus]:
        """Return every configured stream as this process sees it; at the end, as it saw it last."""
        return self._supervisor.concluded or self._supervisor.status()

    def unfinished(self) -> list[StreamStatus]:
        """Return the streams that were not current when the run ended, each with its error."""
        return [stream for stream in self._supervisor.concluded if stream.error]

    def run(self) -> int:
        """Follow the streams; return the exit code. Raises `ConnectorError` where they cannot be begun.

        The first SIGINT or SIGTERM stops cleanly, the second ends the process at once. MUST be called in the main
        thread. What still hangs when it returns does so in daemon threads.
        """
        work = threading.Thread(target=self._work, name="supervisor", daemon=True)
        self._open_port()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._heed)
        # What is loaded by now lives as long as the process: the collector need not look at it with every batch.
        gc.freeze()
        log = logs.get("service")
        log.info(
            "starting",
            version=__version__,
            connections=sorted(self._config.connections),
            kafka=self._config.kafka.bootstrap_servers,
        )
        work.start()
        while work.is_alive() and not self._overdue():
            work.join(_TURN)
        if self._received:
            log.info("stopped", signal=signal.Signals(self._received).name)
            return _BY_SIGNAL + self._received
        if self._error:
            raise self._error
        return _EXIT_CODES[self._outcome]

    def _work(self) -> None:
        try:
            # Its errors say why there is no connection; and nothing has begun that a signal would have to wait for.
            cluster = Cluster(self._client, timeout=self._patience)
            cluster.topics()
            self._begun = True
            peers.Watch(cluster, f"{self._config.kafka.prefix}.connectors", self._signature).start()
            layouts = [wiring.layout(self._config.kafka, each) for each in self._config.connections.values()]
            self._outcome = self._supervisor.run(layout.state_spec() for layout in layouts)
        except Exception as error:  # noqa: BLE001  handed over to the main thread
            self._error = error

    def _open_port(self) -> None:
        listen = self._config.server
        if listen and not self._once:
            server = Server(listen.host, listen.port, self._supervisor, self._metrics.render, CONTENT_TYPE).start()
            logs.get("server").info("listening", host=listen.host, port=server.port)

    def _heed(self, number: int, _frame: object) -> None:
        if self._received:
            # Safe at any instruction: an open transaction is never visible, and the next owner's fence aborts it.
            os._exit(_BY_SIGNAL + number)
        self._received, self._received_at = number, time.monotonic()
        self._supervisor.stop()

    def _overdue(self) -> bool:
        return bool(self._received) and (not self._begun or time.monotonic() - self._received_at > _FAREWELL)
