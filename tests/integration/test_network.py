"""Finding a host and connecting to it is part of the exchange's time."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connector.clock import SYSTEM
from connector.cms.http import Transport
from connector.cms.source import Source
from connector.errors import LocalTrouble, SourceUnavailable
from connector.model.checkpoint import Position
from tests.cms import eventually
from tests.rawserver import head, serving
from tests.unit.vendors.contentful_answers import contentful

START = Position()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def answer(connection: socket.socket) -> None:
    """Answer a request."""
    head(connection)
    connection.sendall(OK)


def found_at(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name resolve to these addresses."""
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *args: Any, **more: Any) -> list[Any]:
        hosts = addresses if host.endswith(".example") else (host,)
        return [each for one in hosts for each in real(one, port, *args, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def looking() -> list[threading.Thread]:
    """Return the threads that look up a host."""
    return [thread for thread in threading.enumerate() if thread.name == "look-up"]


@pytest.mark.alone
def test_a_resolver_that_hangs_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is tried, only one look-up of a host hangs; once it answers, requests succeed."""
    going, before = threading.Event(), len(looking())
    real = socket.getaddrinfo

    def hang(host: str, *args: Any, **more: Any) -> list[Any]:
        if host == "cms.example":
            going.wait(30)
            host = "127.0.0.1"
        return real(host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with serving(answer) as port, httpx.Client(transport=Transport(0.2)) as client:
        begun = time.monotonic()
        for _ in range(3):
            with pytest.raises(httpx.ConnectTimeout, match="looking up"):
                client.get(f"http://cms.example:{port}/")
        assert time.monotonic() - begun < 3
        assert len(looking()) - before == 1
        going.set()
        eventually(lambda: len(looking()) == before)
        assert client.get(f"http://cms.example:{port}/").text == "hi"


@contextlib.contextmanager
def full(host: str, port: int) -> Iterator[None]:
    """Listen without accepting further connections: whoever connects waits."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind((host, port))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((host, port))
        yield


def test_an_address_that_cannot_be_reached_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host is as good as its best address: one that refuses or swallows connections costs only its share of time."""
    found_at(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.1")
    with serving(answer) as port, full("127.0.0.3", port), httpx.Client(transport=Transport(2.0), timeout=60) as client:
        assert client.get(f"http://cms.example:{port}/").text == "hi"


@pytest.mark.alone
def test_addresses_that_all_fail_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many addresses take no more time than one."""
    found_at(monkeypatch, *["127.0.0.3"] * 20)
    with serving(answer) as port, full("127.0.0.3", port), httpx.Client(transport=Transport(0.4)) as client:
        begun = time.monotonic()
        with pytest.raises(httpx.ConnectTimeout):
            client.get(f"http://cms.example:{port}/")
        assert time.monotonic() - begun < 2


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 64 + ".example", "a..example"])
def test_a_host_that_is_not_there_is_worth_a_retry(host: str) -> None:
    """Even one that DNS cannot be asked for."""
    with httpx.Client(transport=Transport(5.0)) as client, pytest.raises(httpx.ConnectError):
        client.get(f"http://{host}/")


def test_a_machine_without_a_further_thread_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is temporary, and not a bug: retried, with a hint."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    source = Source(contentful(base_url="http://127.0.0.1:1"), clock=SYSTEM, timeout=1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(LocalTrouble) as caught:
            list(source.walk(START))
    assert "ulimit -u" in caught.value.hint
    with pytest.raises(SourceUnavailable):
        list(source.walk(START))
    source.close()
