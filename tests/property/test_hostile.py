"""Hostile input: whatever a configuration, a webhook or a CMS sends, no unknown error is raised and nothing grows."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.clock import SYSTEM
from connector.cms.source import Source
from connector.cms.vendor import Vendor
from connector.cms.webhook import WakeUp, WebhookCall
from connector.config.load import load, sample
from connector.errors import ConfigError, ConnectorError
from connector.model import rawjson
from connector.model.checkpoint import Position
from connector.model.page import Frame
from connector.simulator import Fault, Simulator
from connector.vendors import names
from tests.cms import connect, vendor

ROOT = Path(__file__).parents[2]
MEBIBYTE = 1024 * 1024
LIMIT = MEBIBYTE
CEILING = 32 * MEBIBYTE  # far below what a single chunk of the response can stand for
DEEP = 10_000

SAMPLE = sample()
ENVIRONMENT = {"CONTENTFUL_TOKEN": "tok-123-secret"}
KEYS = st.sampled_from(
    [
        "bootstrap_servers", "prefix", "topic", "client", "registry", "partitions", "topic_config", "vendor", "space",
        "token", "api_key", "environment", "base_url", "api_filter", "poll_interval", "content_types", "locales",
        "snapshot_mode", "oversized", "webhook_secret", "max_message_bytes", "listen", "url", "env", "file",
    ]
)  # fmt: skip
TEXTS = st.text(max_size=12) | st.sampled_from(
    [*names(), "http://[", "http://a:b", "https://x", "{connection}", "{", "{0}",
     "{a.b}", "{connection!r:>9999999}", "1e9", "\x00", "../../etc/passwd", "", "a" * 300]
)  # fmt: skip
VALUES = st.recursive(
    TEXTS | st.integers() | st.floats() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXTS, inner, max_size=4),
    max_leaves=8,
)
TABLES = st.dictionaries(KEYS | TEXTS, VALUES, max_size=8)


def toml(value: Any) -> str:
    """Return a value as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return quoted(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def quoted(text: str) -> str:
    """Return a TOML string."""
    return '"' + "".join(f"\\U{ord(each):08X}" for each in text.encode("utf-8", "ignore").decode()) + '"'


def refused_or_loaded(path: Path, content: bytes) -> None:
    """Load a configuration; only `ConfigError` may come out of it."""
    path.write_bytes(content)
    with contextlib.suppress(ConfigError):
        load(path, ENVIRONMENT)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file to write configurations to."""
    return tmp_path_factory.mktemp("hostile") / "c.toml"


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_configuration_or_refused(path: Path, content: bytes) -> None:
    """What is not TOML, or not UTF-8, is a `ConfigError`."""
    refused_or_loaded(path, content)


@settings(max_examples=200)
@given(kafka=TABLES, connections=st.dictionaries(TEXTS | st.just("blog"), TABLES, max_size=2), server=TABLES | TEXTS)
def test_any_tables_are_a_configuration_or_refused(
    path: Path, kafka: dict[str, Any], connections: dict[str, Any], server: Any
) -> None:
    """Known keys with any values, and unknown ones: every problem is a `ConfigError`."""
    text = f"kafka = {toml(kafka)}\nconnections = {toml(connections)}\nserver = {toml(server)}\n"
    refused_or_loaded(path, text.encode())


@settings(max_examples=200)
@given(at=st.integers(0, len(SAMPLE)), cut=st.integers(0, 40), text=TEXTS)
def test_a_damaged_sample_is_a_configuration_or_refused(path: Path, at: int, cut: int, text: str) -> None:
    """The sample with a piece cut out and something else put in."""
    refused_or_loaded(path, (SAMPLE[:at] + text + SAMPLE[at + cut :]).encode("utf-8", "surrogatepass"))


def test_a_deeply_nested_configuration_is_refused(path: Path) -> None:
    """Ten thousand brackets are reported as such, without a crash."""
    refused_or_loaded(path, b"a = " + b"[" * DEEP + b"]" * DEEP)
    refused_or_loaded(path, b"a = " + b"{a = " * DEEP + b"1" + b"}" * DEEP)


BODIES = st.binary(max_size=100) | VALUES.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))


@given(name=st.sampled_from(names()), body=BODIES, path=TEXTS)
def test_any_webhook_body_wakes(name: str, body: bytes, path: str) -> None:
    """An authentic call with any body wakes; what it announces is a text that logs can carry, or nothing."""
    woken = waker(name).wake_up(WebhookCall({"X-Contentwire-Secret": "s3cret"}, "POST", path, body), 0.0)
    assert isinstance(woken, WakeUp)
    assert woken.id is None or woken.id.encode()


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize(
    "body",
    [
        b"[" * DEEP + b"]" * DEEP,
        b'{"sys": ' * DEEP + b"1" + b"}" * DEEP,
        b'{"sys": {"id": "a\\u0000b"}, "data": {"entry": {"uid": "a\\u0000b"}}}',
        b'{"sys": {"id": "\\ud83d"}, "data": {"entry": {"uid": "\\ud83d"}}}',
        b'{"sys": {"id": ' + b"9" * 100_000 + b"}}",
        b'"' + b"\\" * 1_000_001,
    ],
)
def test_a_hostile_webhook_body_wakes_and_announces_nothing(name: str, body: bytes) -> None:
    """Depth bombs, NUL, lone surrogates and endless numbers are neither an error nor an id."""
    woken = waker(name).wake_up(WebhookCall({"X-Contentwire-Secret": "s3cret"}, "POST", "/", body), 0.0)
    assert isinstance(woken, WakeUp)
    assert woken.id is None


def waker(name: str) -> Vendor:
    """Return a vendor whose webhooks carry a secret."""
    return vendor(name, webhook_secret="s3cret")


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Give a served simulator."""
    with Simulator(entries=5).serving() as served:
        yield served


FETCH = """
import resource, sys
from pydantic import SecretStr
from connector import vendors
from connector.clock import SYSTEM
from connector.errors import SourceUnavailable
from connector.model.checkpoint import Position
from connector.cms.source import Source

vendor = vendors.find("contentful")
url, token, space, limit = sys.argv[1:]
settings = vendor.settings_type.model_validate({"token": SecretStr(token), "space": space, "base_url": url})
source = Source(vendor("c", settings), clock=SYSTEM, max_response_bytes=int(limit))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    source.fetch(Position())
except SourceUnavailable as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""


def test_a_gigabyte_of_zeros_in_gzip_is_refused_within_bounds(simulator: Simulator) -> None:
    """It is read no further than `max_response_bytes`, and the process grows by little more than that."""
    simulator.push_fault("contentful", Fault("gzip_bomb", size=1024 * MEBIBYTE))
    found = simulator.connection("contentful")
    arguments = [found["base_url"], found["token"], found["space"], str(LIMIT)]
    child = subprocess.run(
        [sys.executable, "-c", FETCH, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    grown, _, told = child.stdout.partition(" ")
    assert "max_response_bytes" in told
    assert int(grown) * 1024 < CEILING


@pytest.mark.parametrize("name", names())
def test_an_item_ten_thousand_levels_deep_costs_only_itself(name: str) -> None:
    """Its neighbours are read; it becomes a dead letter with its exact bytes."""
    bomb = (
        b'{"sys": {"id": "d", "type": "Entry"}, "type": "entry_published", "data": ' + b"[" * DEEP + b"]" * DEEP + b"}"
    )
    raws = rawjson.elements(b"[1, " + bomb + b', "x"]')
    page = waker(name).read(Frame(raws, Position(), caught_up=True))
    assert [letter.raw for letter in page.dead_letters] == [b"1", bomb, b'"x"']


def test_a_hostile_answer_is_a_known_error(simulator: Simulator) -> None:
    """A redirect, a web page and broken compression are `ConnectorError`s with a hint for the operator."""
    for kind in ("redirect", "html", "truncated_gzip"):
        simulator.push_fault("contentful", Fault(kind))
        source = Source(connect(simulator, "contentful"), clock=SYSTEM)
        with pytest.raises(ConnectorError):
            list(source.walk(Position()))
        source.close()
