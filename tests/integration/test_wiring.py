"""A configured stream: which of its parts are made once, and which secrets they are made with."""

import threading
from pathlib import Path

import pytest

from connector.cms.source import ignore
from connector.config.load import load
from connector.kafka.store import KafkaStore
from connector.stream.spec import Hooks
from connector.wiring import ConfiguredStream, streams

TOML = """
[kafka]
bootstrap_servers = "127.0.0.1:1"
client = { "sasl.password" = { file = "password" } }

[connections.blog]
vendor = "contentful"
space = "s1"
token = { env = "T" }
content_types = ["post"]

[connections.shop]
vendor = "contentful"
space = "s2"
token = { env = "T" }
"""


@pytest.fixture(name="blog")
def _blog(tmp_path: Path) -> ConfiguredStream:
    (tmp_path / "password").write_text("first")
    path = tmp_path / "contentwire.toml"
    path.write_text(TOML)
    return ConfiguredStream(load(path, {"T": "token"}), "blog")


@pytest.mark.parametrize("part", ["vendor", "layout", "client", "cluster", "policy"])
def test_a_part_is_made_once(blog: ConfiguredStream, part: str) -> None:
    """Whoever asks for it again gets the same one."""
    assert getattr(blog, part) is getattr(blog, part)


def test_every_connection_is_a_stream(blog: ConfiguredStream) -> None:
    """Each has its own topics, under the name of its connection."""
    assert [(each.name, each.layout.connection) for each in streams(blog.config)] == [
        ("blog", "blog"),
        ("shop", "shop"),
    ]


def test_a_start_uses_secrets_as_they_were_read_last(blog: ConfiguredStream, tmp_path: Path) -> None:
    """A password that was replaced in its file serves the next start; a client that is open keeps the former one."""
    spec = blog.spec()
    assert blog.client["sasl.password"] == "first"
    (tmp_path / "password").write_text("second")
    assert spec.refresh()
    parts = spec.open(threading.Event(), Hooks(ignore, lambda _batch, _seconds: None))
    store = parts.publisher._store
    assert isinstance(store, KafkaStore)
    assert store._client["sasl.password"] == "second"


def test_other_settings_leave_the_stream_as_it_is(blog: ConfiguredStream) -> None:
    """A command that is stricter than the configuration changes it for nobody else."""
    strict = blog.having(oversized="stop")
    assert (strict.policy.oversized, blog.policy.oversized) == ("stop", "dead-letter")
    assert (strict.fingerprint, strict.layout) == (blog.fingerprint, blog.layout)
