"""One port: metrics, health, readiness and a status page for operators; webhooks, which only wake a poller."""

import json
import socket
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self
from wsgiref.types import StartResponse, WSGIEnvironment

from markupsafe import Markup
from werkzeug.exceptions import HTTPException, InternalServerError, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from connector import logs
from connector.clock import Clock
from connector.cms.webhook import Handled, WebhookCall
from connector.config.site import Site
from connector.errors import ConfigError
from connector.service.listener import Listener
from connector.stream.status import HALTED, StreamStatus

BODY_BYTES = 1_000_000
WEDGED_AFTER = 30.0
"""Seconds after which a supervisor loop that has not turned counts as wedged."""

_MISDIRECTED = 421
_REFUSED = 400
_ROUTES = Map(
    [
        Rule("/", endpoint="page", methods=["GET"]),
        Rule("/metrics", endpoint="metrics", methods=["GET"]),
        Rule("/healthz", endpoint="health", methods=["GET"]),
        Rule("/readyz", endpoint="ready", methods=["GET"]),
        Rule("/webhooks/<connection>", endpoint="webhook", methods=["POST"]),
    ],
    strict_slashes=False,
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class StatusSource(Protocol):
    """What the server asks of the supervisor. Called from several threads; every call returns at once."""

    def status(self) -> Sequence[StreamStatus]:
        """Return every configured stream as this process sees it."""
        ...

    def seconds_since_turn(self) -> float:
        """Return how long ago the supervisor's loop last turned."""
        ...

    def dead(self) -> Sequence[str]:
        """Return the connections whose thread has ended and waits to be started again."""
        ...

    def wake(self, connection: str, calls: Sequence[WebhookCall]) -> Handled:
        """Wake the poller of `connection`.

        `calls` are one call: as it arrived, and as it may have been before a gateway changed its path.
        """
        ...


class Server:
    """The operators' port, open between `start` and `stop`, or as a context manager.

    `refused` is called with the reason why a peer got no proper answer: one of the metrics' `REFUSALS`.
    """

    def __init__(  # noqa: PLR0913  where to listen, what to answer, whom to notify
        self,
        site: Site,
        source: StatusSource,
        metrics: Callable[[], bytes],
        content_type: str,
        clock: Clock,
        *,
        refused: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self._address = (site.host, site.port)
        self._clock = clock
        self._refused = refused
        self._application = _Application(site, source, metrics, content_type, refused)
        self._listener: Listener | None = None

    @property
    def port(self) -> int:
        """The open port; for port 0, the one that was assigned."""
        if self._listener is None:
            raise RuntimeError("the server has not been started")
        return self._listener.port

    @property
    def alive(self) -> bool:
        """Whether the port is open and still answers."""
        return self._listener is not None and self._listener.alive

    def start(self) -> Self:
        """Open the port and start answering; raises `ConfigError` if it cannot be opened."""
        host, port = self._address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listening = socket.create_server((host, port), family=family)
        except OSError as error:
            hint = "choose another address for server.listen, or stop what listens there"
            raise ConfigError(f"server.listen: cannot open {host}:{port}: {error.strerror}", hint=hint) from error
        self._listener = Listener(self._application, listening, BODY_BYTES, self._clock, self._refused)
        self._listener.start()
        return self

    def stop(self) -> None:
        """Finish the answers in progress, close the port, and leave no thread behind."""
        if self._listener:
            self._listener.stop()
            self._listener = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


class _Application:
    """The WSGI application. It never logs a request: bodies and headers of webhooks hold others' data."""

    def __init__(
        self,
        site: Site,
        source: StatusSource,
        metrics: Callable[[], bytes],
        content_type: str,
        refused: Callable[[str], None],
    ) -> None:
        self._site = site
        self._refused = refused
        self._source = source
        self._render = metrics
        self._content_type = content_type

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = self._answer(environ)
        response.headers.update(_HEADERS)
        return response(environ, start_response)

    def _answer(self, environ: WSGIEnvironment) -> Response:
        try:
            endpoint, values = _ROUTES.bind("", path_info=_path(environ)).match(method=environ["REQUEST_METHOD"])
            # Webhooks may arrive under any name, and authenticate themselves.
            if endpoint != "webhook" and not self._site.answers_to(environ.get("HTTP_HOST")):
                self._refused("host")
                return _json({"error": "this host name is not known here: see hosts in [server]"}, _MISDIRECTED)
            response: Response = getattr(self, f"_{endpoint}")(Request(environ), **values)
        except HTTPException as error:
            return error.get_response(environ)
        except Exception as error:  # noqa: BLE001  a bug behind one answer is logged, and the port stays open
            logs.get("server").error("a request could not be answered", exc_info=error)
            return InternalServerError().get_response(environ)
        return response

    def _page(self, _request: Request) -> Response:
        return Response(status_page(self._source.status()), mimetype="text/html")

    def _metrics(self, _request: Request) -> Response:
        return Response(self._render(), content_type=self._content_type)

    def _health(self, request: Request) -> Response:
        seconds = self._source.seconds_since_turn()
        dead = list(self._source.dead())
        ok = seconds <= WEDGED_AFTER and not dead
        if request.args.get("streams") == "all":
            dead += [each.connection for each in self._source.status() if each.state in HALTED]
            ok = ok and not dead
        return _json({"ok": ok, "seconds_since_turn": round(seconds, 1), "dead": dead}, 200 if ok else 503)

    def _ready(self, _request: Request) -> Response:
        waiting = [stream for stream in self._source.status() if not stream.ready]
        reasons = {stream.connection: stream.error or f"no commit yet, {stream.state}" for stream in waiting}
        return _json({"ready": not waiting, "waiting": reasons}, 503 if waiting else 200)

    def _webhook(self, request: Request, connection: str) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = str(request.environ.get("REQUEST_URI") or request.full_path)
        paths = [path, *([self._site.public_path + path] if self._site.public_path else [])]
        body = request.get_data()
        calls = [WebhookCall(headers, request.method, path, body) for path in paths]
        handled = self._source.wake(connection, calls)
        if handled.outcome == "unknown":
            raise NotFound
        accepted = handled.status < _REFUSED
        return _json({"accepted": accepted, "outcome": handled.outcome}, handled.status)


def status_page(streams: Sequence[StreamStatus]) -> str:
    """Return the page that shows `streams` to a person; every value in it is escaped."""
    rows = Markup("").join(_row(stream) for stream in streams)
    return str(_PAGE.format(rows=rows or Markup("<tr><td colspan=10>no stream is configured</td></tr>")))


def _row(stream: StreamStatus) -> Markup:
    return _ROW.format(
        connection=stream.connection,
        vendor=stream.vendor,
        state=stream.state,
        phase=stream.phase or "",
        epoch=stream.epoch,
        page=stream.page,
        sequence=stream.sequence,
        committed=_time(stream.committed_at_ms),
        freshness="" if stream.freshness is None else f"{stream.freshness:.1f} s",
        entries=stream.index_size,
        error=stream.error,
        hint=stream.hint,
    )


def _time(at_ms: int | None) -> str:
    if at_ms is None:
        return ""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _path(environ: WSGIEnvironment) -> str:
    return str(environ.get("PATH_INFO", "")).encode("latin-1", "replace").decode("utf-8", "replace")


def _json(value: object, status: int) -> Response:
    return Response(json.dumps(value) + "\n", status=status, mimetype="application/json")


_ROW = Markup(
    '<tr class="{state}"><td>{connection}</td><td>{vendor}</td><td>{state}</td><td>{phase}</td>'
    "<td>{epoch} / {page}</td><td>{sequence}</td><td>{committed}</td><td>{freshness}</td><td>{entries}</td>"
    "<td>{error}<br><em>{hint}</em></td></tr>\n"
)
_PAGE = Markup("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>contentwire</title><meta http-equiv="refresh" content="10">
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; }}
table {{ border-collapse: collapse; }}
th, td {{ text-align: left; vertical-align: top; padding: .3rem .8rem; border-bottom: 1px solid #8884; }}
.retrying, .paused {{ background: #fa02; }}
.stopped, .walk_starved, .deletes_held {{ background: #f002; }}
</style></head><body>
<h1>contentwire</h1>
<table><thead><tr><th>connection</th><th>vendor</th><th>state</th><th>phase</th><th>epoch / page</th><th>sequence</th>
<th>last commit</th><th>freshness</th><th>index</th><th>error</th></tr></thead>
<tbody>
{rows}</tbody></table>
</body></html>
""")
