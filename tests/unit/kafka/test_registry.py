"""The registry client: looks up before registering, shows what the registry says, and believes no odd answer."""

import gzip
import json
from collections.abc import Callable
from contextlib import closing

import pytest

from connector.errors import BrokerFatal, RegistryUnavailable
from connector.events import codec
from tests.schemaregistry import ScriptedRegistry

SCHEMA = codec.text("key")
Ask = Callable[[], object]


@pytest.fixture
def scripted() -> ScriptedRegistry:
    """Give a registry that does as it is told."""
    return ScriptedRegistry()


def register(scripted: ScriptedRegistry, *, may_register: bool = True) -> int:
    """Register the key schema under T-key."""
    with closing(scripted.client(may_register=may_register)) as registry:
        return registry.register("T-key", SCHEMA)


def test_what_is_registered_is_looked_up(scripted: ScriptedRegistry) -> None:
    """An account that may only read needs nothing more, however registering would be answered."""
    number = register(scripted)
    assert scripted.registered() == ["T-key"]
    scripted.refusal = 403, {"error_code": 40301, "message": "User is denied operation Write on Subject: T-key"}
    assert register(scripted) == number
    assert register(scripted, may_register=False) == number
    assert scripted.registered() == []


REFUSALS = [
    (403, 40301, "User is denied operation Write on Subject: T-key"),
    (404, 40403, "User is denied operation Write on Subject: T-key"),
    (422, 42205, "Subject T-key is in read-only mode"),
    (401, 40101, "Unauthorized"),
    (404, 40401, "Subject not found"),
]


@pytest.mark.parametrize(("status", "code", "message"), REFUSALS)
def test_a_refusal_says_what_the_registry_says(
    scripted: ScriptedRegistry, status: int, code: int, message: str
) -> None:
    """Its code and message, and who can help; nothing about a URL or a password."""
    scripted.refusal = status, {"error_code": code, "message": message}
    with pytest.raises(BrokerFatal) as caught:
        register(scripted)
    assert f"{code}: {message}" in str(caught.value)
    assert "contentwire schemas register" in caught.value.hint


def test_register_false_registers_nothing(scripted: ScriptedRegistry) -> None:
    """The error names what is missing and who can help."""
    with pytest.raises(BrokerFatal, match="T-key is not registered") as caught:
        register(scripted, may_register=False)
    assert "contentwire schemas register" in caught.value.hint
    assert scripted.registered() == []


ODD = [
    b'{"id": -1}',
    b'{"id": 2147483648}',
    b'{"id": null}',
    b'{"id": true}',
    b'{"id": 7.0}',
    b'{"id": "7"}',
    b"{}",
    b"[]",
    b"null",
    b"7",
    b"<html>",
    b"",
    b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b" " * (9 * 1024 * 1024) + b'{"id": 7}',
]


@pytest.mark.parametrize("body", ODD, ids=[str(number) for number in range(len(ODD))])
def test_no_odd_answer_is_believed(scripted: ScriptedRegistry, body: bytes) -> None:
    """Ids out of range, other shapes, depth and size: whoever answers that is not a registry now, but may be later."""
    with closing(scripted.client()) as registry:
        asks: list[Ask] = [lambda: registry.register("T-key", SCHEMA), lambda: registry.schema(1)]
        asks += [lambda: registry.compatible("T-key", SCHEMA), *([] if body == b"[]" else [registry.subjects])]
        for ask in asks:
            scripted.answers = [(200, body, {})]
            with pytest.raises(RegistryUnavailable):
                ask()


def test_a_compressed_answer_cannot_expand(scripted: ScriptedRegistry) -> None:
    """No compression was requested: not a byte is decompressed."""
    bomb = gzip.compress(b" " * (64 * 1024 * 1024))
    scripted.answers = [(200, bomb, {"Content-Encoding": "gzip"})]
    with closing(scripted.client()) as registry, pytest.raises(RegistryUnavailable, match="an uncompressed answer"):
        registry.schema(1)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_what_may_pass_is_tried_again(scripted: ScriptedRegistry, status: int) -> None:
    """The error shows the answer's status and message."""
    scripted.answers = [(status, json.dumps({"error_code": 50003, "message": "forwarding\x1b[2J"}).encode(), {})]
    with closing(scripted.client()) as registry, pytest.raises(RegistryUnavailable, match="forwarding") as caught:
        registry.schema(1)
    assert str(status) in str(caught.value)
    assert str(caught.value).isprintable()


def test_an_unknown_id_is_not_an_outage(scripted: ScriptedRegistry) -> None:
    """It is None, if the registry says so."""
    number = register(scripted)
    with closing(scripted.client()) as registry:
        known = registry.by_id(number)
        assert known is not None
        assert codec.same("key", known)
        assert not codec.same("envelope", known)
        assert registry.by_id(number + 1) is None


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '"string"', '{"type": "record"}', "7"])
def test_a_schema_that_is_not_ours_is_recognised(text: str) -> None:
    """Whatever a registry returns in place of a schema."""
    assert not codec.same("key", text)


PAGES = [
    b"<html>404 page not found</html>",
    b"default backend - 404",
    b"",
    b"[]",
    b'{"error_code": 404, "message": "HTTP 404 Not Found"}',
    b'{"status": 404, "title": "Not Found"}',
]


@pytest.mark.parametrize("page", PAGES)
def test_a_gateways_404_is_not_a_registrys(scripted: ScriptedRegistry, page: bytes) -> None:
    """It says nothing about schemas and ids; only whoever lists subjects is believed."""
    with closing(scripted.client()) as registry:
        asks: list[Ask] = [
            lambda: registry.by_id(1),
            lambda: registry.find("T-key", SCHEMA),
            lambda: registry.compatible("T-key", SCHEMA),
            lambda: registry.register("T-key", SCHEMA),
        ]
        for ask in asks:
            scripted.answers = [(404, page, {}), (404, page, {})]
            with pytest.raises(BrokerFatal, match="/subjects") as caught:
                ask()
            assert "base URL" in caught.value.hint
        assert scripted.registered() == []
        # A registry that gives no codes.
        for ask, found in zip(asks, [None, None, True], strict=False):
            scripted.answers = [(404, page, {})]
            assert ask() is found


def test_a_denied_look_up_is_not_an_absence(scripted: ScriptedRegistry) -> None:
    """Nothing is registered for an account that may not even look; a subject may have any name."""
    denied = {"error_code": 40403, "message": "User is denied operation Read on Subject: T-key"}
    scripted.answers = [(404, json.dumps(denied).encode(), {})]
    with closing(scripted.client()) as registry:
        with pytest.raises(BrokerFatal, match="refuses this account"):
            registry.register("T-key", SCHEMA)
        assert scripted.registered() == []
        assert registry.find("denied.blog.changes-key", SCHEMA) is None
        missing = {"error_code": 40401, "message": "Subject 'denied.blog.changes-key' not found."}
        scripted.answers = [(404, json.dumps(missing).encode(), {})]
        assert registry.find("denied.blog.changes-key", SCHEMA) is None
