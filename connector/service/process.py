"""The process behind `run`: the streams, the operators' port, and an end within ten seconds of a signal."""

import os
import signal
import threading
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from connector import __version__, limits, logs, wiring
from connector.clock import Clock
from connector.cms.webhook import Handled, WebhookCall
from connector.config.settings import Config
from connector.errors import ConfigError, ConnectorError, InternalFailure, StreamStopped, Unreachable, starting_threads
from connector.kafka import peers, webhook_relay
from connector.kafka.cluster import Cluster
from connector.logs.mask import Mask
from connector.service.metrics import CONTENT_TYPE, Metrics
from connector.service.server import Server
from connector.service.supervisor import RunOutcome, Supervisor
from connector.stream.status import StreamStatus

_EXIT_CODES: Final[Mapping[RunOutcome, int]] = {
    "current": 0,
    "stopped": StreamStopped.exit_code,
    "unreachable": Unreachable.exit_code,
    "interrupted": ConnectorError.exit_code,
}
_BY_SIGNAL: Final = 128
_EXIT_WITHIN: Final = 9.5  # seconds from a signal, even during work: an open transaction is never visible
_CONNECT_TIMEOUT: Final = 15.0
_TURN: Final = 0.1


class Session(Protocol):
    """Reads the configuration, and keeps its secrets out of everything shown."""

    mask: Mask

    @property
    def lines_lost(self) -> int:
        """How many log lines could not be written."""
        ...

    def config(self) -> Config:
        """Load the configuration; raises `ConfigError`."""
        ...


class Service:
    """Every stream of a configuration, followed by this process. With `once`, until each is current or cannot be.

    `session` reads the configuration, now and on every reload. `give_up_after`: how many seconds something may stay
    unreachable before a pass with `once` ends. `terminal`: whether the process belongs to a terminal; SIGHUP then ends
    it, and reloads the configuration otherwise. Raises `ConfigError`.
    """

    def __init__(
        self, session: Session, clock: Clock, *, once: bool, give_up_after: float, terminal: bool = False
    ) -> None:
        self._clock = clock
        self._session = session
        self._config = session.config()
        self._next: Config | None = None
        self._metrics = Metrics(lambda: session.lines_lost)
        self._scraping = threading.Lock()
        self._once = once
        self._give_up_after = give_up_after
        self._hangs_up = terminal or once
        self._reload_due = threading.Event()
        self._server: Server | None = None
        self._log = logs.get("service")
        self._patience = give_up_after if once else _CONNECT_TIMEOUT
        self._supervisor = self._supervise(self._config)
        self._begun = False
        self._received = 0
        self._received_at = 0.0
        self._outcome: RunOutcome = "interrupted"
        self._error: Exception | None = None

    def _supervise(self, config: Config) -> Supervisor:
        self._streams = wiring.streams(config, self._clock)
        name = peers.client_id(wiring.signature(self._streams))
        self._client = {"client.id": name, **config.kafka.properties()}
        owner = self._client["client.id"]
        mask = self._session.mask
        specs = [stream.spec(owner=owner, mask=mask) for stream in self._streams]
        supervisor = Supervisor(
            specs, self._client, config.kafka.prefix, self._metrics, clock=self._clock, once=self._once, mask=mask
        )
        supervisor.give_up_after = self._give_up_after
        return supervisor

    def status(self) -> Sequence[StreamStatus]:
        """Return every configured stream as this process sees it; at the end, as it last saw it."""
        return self._supervisor.concluded or self._supervisor.status()

    def seconds_since_turn(self) -> float:
        """Return how long ago the supervisor's loop last turned."""
        return self._supervisor.seconds_since_turn()

    def dead(self) -> Sequence[str]:
        """Return the connections whose thread has ended and waits to be started again."""
        return self._supervisor.dead()

    def wake(self, connection: str, calls: Sequence[WebhookCall]) -> Handled:
        """Wake the poller of `connection`."""
        return self._supervisor.wake(connection, calls)

    def unfinished(self) -> list[StreamStatus]:
        """Return the streams that were not current when the run ended, each with its error."""
        return [stream for stream in self._supervisor.concluded if stream.error]

    def run(self) -> int:
        """Follow the streams; return the exit code. Raises `ConnectorError` if they cannot be started.

        The first SIGINT or SIGTERM stops cleanly, the second ends the process at once; SIGHUP reloads the configuration
        if the process belongs to no terminal. MUST be called in the main thread. Anything that still hangs on return
        does so in daemon threads.
        """
        limits.raise_descriptors()
        work = threading.Thread(target=self._work, name="supervisor", daemon=True)
        self._open_port()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle_signal)
        signal.signal(signal.SIGHUP, self._handle_signal if self._hangs_up else lambda *_: self._reload_due.set())
        limits.collect_rarely()
        self._log.info(
            "starting",
            version=__version__,
            connections=sorted(self._config.connections),
            kafka=self._config.kafka.bootstrap_servers,
        )
        with starting_threads():
            work.start()
        while work.is_alive() and not self._overdue():
            work.join(_TURN)
            self._look_after_port()
            if self._reload_due.is_set():
                self._reload_due.clear()
                self._reload()
        if self._received:
            self._log.info("stopped", signal=signal.Signals(self._received).name)
            return _BY_SIGNAL + self._received
        if self._error:
            raise self._error
        return _EXIT_CODES[self._outcome]

    def _work(self) -> None:
        try:
            while self._follow():
                self._config, self._next = self._next or self._config, None
                self._supervisor = self._supervise(self._config)
        except ConnectorError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001  handed over to the main thread
            self._log.error("the supervisor failed unexpectedly", exc_info=error)
            self._error = InternalFailure(
                f"unexpected {type(error).__name__}", hint="this is a bug in contentwire; see the log"
            )

    def _follow(self) -> bool:
        """Follow the streams of the current configuration; return whether there is a new one to continue with."""
        # The cluster's errors say why there is no connection, and no signal has to wait: nothing has begun.
        Cluster(self._client, timeout=self._patience, clock=self._clock).topics()
        self._begun = True
        wake_ups = webhook_relay.spec(self._config.kafka.prefix, self._config.kafka.replication_factor)
        self._outcome = self._supervisor.run((each.layout.state_spec() for each in self._streams), wake_ups)
        return self._next is not None and not self._received

    def _reload(self) -> None:
        """Continue with the configuration as it is now, its stopped streams trying again, or log why not."""
        try:
            loaded = self._session.config()
        except ConfigError as error:
            self._refuse_reload(str(error), problems=list(error.problems))
            return
        if loaded.server != self._config.server:
            self._refuse_reload("[server] differs, and its port is opened only once: restart the process")
        elif loaded == self._config:
            self._log.info("configuration reloaded: nothing has changed; stopped streams try again")
            self._supervisor.try_again()
        else:
            self._log.info("configuration reloaded", connections=sorted(loaded.connections))
            self._next = loaded
            self._supervisor.stop()

    def _refuse_reload(self, why: str, **facts: object) -> None:
        self._log.error("configuration not reloaded: the previous one stays in force", why=why, **facts)

    def _open_port(self) -> None:
        listen = self._config.server
        if listen and not self._once:
            self._server = Server(
                listen.site(), self, self._render, CONTENT_TYPE, self._clock, refused=self._metrics.refused
            ).start()
            logs.get("server").info("listening", host=listen.host, port=self._server.port)

    def _render(self) -> bytes:
        # One scrape at a time: two would mix the states they show.
        with self._scraping:
            self._metrics.states({stream.connection: stream.state for stream in self.status()})
            self._metrics.lags(self._supervisor.lags())
            return self._metrics.render()

    def _look_after_port(self) -> None:
        if self._server and not self._server.alive:
            self._server = None
            self._error = InternalFailure(
                "the thread of the port [server] has ended", hint="see the log; start the process again"
            )
            self._supervisor.stop()

    def _handle_signal(self, number: int, _frame: object) -> None:
        if self._received:
            # Safe at any instruction: an open transaction is never visible, and the next owner's fence aborts it.
            os._exit(_BY_SIGNAL + number)
        self._received, self._received_at = number, self._clock.monotonic()
        self._supervisor.stop()

    def _overdue(self) -> bool:
        return bool(self._received) and (not self._begun or self._clock.monotonic() - self._received_at > _EXIT_WITHIN)
