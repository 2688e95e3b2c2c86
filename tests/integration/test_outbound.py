"""Proxies and certificates as operators meet them: the command, its environment, and a real proxy."""

import socket
from collections.abc import Iterator

import pytest

from connector.simulator import Simulator
from tests.command import Workplace, WorkplaceOf
from tests.rawserver import head, serving

NAME = "contentful"
PASS = ("run", "--until-caught-up", "--timeout", "30")


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Yield a served simulator of several pages."""
    with Simulator(seed=5, entries=12, page_sizes={NAME: 5}).serving() as serving_now:
        yield serving_now


@pytest.fixture
def workplace(workplace_of: WorkplaceOf) -> Workplace:
    """Return a workplace that follows it."""
    return workplace_of(NAME)


class Forwarding:
    """A proxy for requests without TLS: forwards those to one host to a port of this machine, and counts them."""

    def __init__(self, host: str, port: int) -> None:
        self.asked = 0
        self._absolute = f"http://{host}".encode()
        self._port = port

    def __call__(self, connection: socket.socket) -> None:
        """Serve one request of a connection, and close it."""
        with connection:
            asked = head(connection)
            self.asked += 1
            if self._absolute in asked.partition(b"\r\n")[0]:
                with socket.create_connection(("127.0.0.1", self._port)) as beyond:
                    closing = asked.replace(self._absolute, b"", 1).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
                    beyond.sendall(closing.replace(b"\r\nConnection: keep-alive", b"", 1))
                    while chunk := beyond.recv(65_536):
                        connection.sendall(chunk)


@pytest.mark.parametrize(
    "variable",
    [
        ("ALL_PROXY", "socks5h://me:hush-hush@localhost:1080"),
        ("HTTPS_PROXY", "http://me:hush-hush@localhost:port"),
        ("http_proxy", "http://[::1"),
        ("SSL_CERT_FILE", "/nowhere.pem"),
        ("SSL_CERT_DIR", "/nowhere"),
    ],
)
def test_a_variable_that_cannot_be_used_ends_every_command_with_2(
    workplace: Workplace, simulator: Simulator, variable: tuple[str, str]
) -> None:
    """The error names it before anything is requested or written; no traceback, and no part of a password."""
    name, value = variable
    workplace.environ[name] = value
    for command in (PASS, ("check",)):
        ended = workplace.run(*command)
        shown = ended.out + ended.err
        assert ended.code == 2, shown
        assert f"environment: {name}: " in shown
        assert "Traceback" not in shown
        assert "hush" not in shown
    assert simulator.requests(NAME) == []


@pytest.mark.parametrize("direct", ["fe80::/10", "[::1],[fe80::]/10,*.example:99999,%$,//"])
def test_loopback_is_reached_directly_whatever_the_environment_says(
    workplace: Workplace, simulator: Simulator, direct: str
) -> None:
    """A proxy never sees the token of a CMS on this machine; no form of NO_PROXY interferes."""
    proxy = Forwarding("127.0.0.1", 1)
    with serving(proxy) as port:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            workplace.environ[name] = f"http://127.0.0.1:{port}"
        workplace.environ["NO_PROXY"] = direct
        ended = workplace.run(*PASS)
    assert ended.code == 0, ended
    assert simulator.requests(NAME)
    assert proxy.asked == 0


@pytest.mark.parametrize("configured", [True, False])
def test_a_stream_is_followed_through_a_proxy(workplace: Workplace, simulator: Simulator, *, configured: bool) -> None:
    """From the file or the environment; the error for a proxy that is gone says where it was configured."""
    url = 'base_url = "http://cms.example"\nallow_http = true{}'
    proxy = Forwarding("cms.example", int(simulator.url().rpartition(":")[2]))
    with serving(proxy) as port:
        at = f"http://127.0.0.1:{port}"
        workplace.edit(r"base_url = .*", url.format(f'\nproxy = "{at}"' if configured else ""))
        if not configured:
            workplace.environ["HTTP_PROXY"] = at
        ended = workplace.run(*PASS)
        assert ended.code == 0, ended
        assert proxy.asked == len(simulator.requests(NAME)) > 1
    ended = workplace.run("verify", NAME)
    assert ended.code == 3, ended
    origin = "the configuration" if configured else "the environment variable HTTP_PROXY"
    assert f"by the proxy {at} from {origin}" in ended.err
