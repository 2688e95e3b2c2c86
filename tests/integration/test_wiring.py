"""The parts of a configured stream that need librdkafka threads: made once, and with which secrets."""

import threading
from pathlib import Path

import pytest

from connector.cms.source import ignore
from connector.kafka.store import KafkaStore
from connector.stream.spec import Hooks
from connector.wiring import ConfiguredStream
from tests.unit.configured import configured


@pytest.fixture(name="blog")
def _blog(tmp_path: Path) -> ConfiguredStream:
    (tmp_path / "password").write_text("first")
    return configured(tmp_path, kafka='client = { "sasl.password" = { file = "password" } }')


def test_a_cluster_is_connected_to_once(blog: ConfiguredStream) -> None:
    """Asking again returns the same one."""
    assert blog.cluster is blog.cluster


def test_a_start_uses_secrets_as_they_were_read_last(blog: ConfiguredStream, tmp_path: Path) -> None:
    """A password replaced in its file is used by the next start; an open client keeps the previous one."""
    spec = blog.spec()
    assert blog.client["sasl.password"] == "first"
    (tmp_path / "password").write_text("second")
    assert spec.refresh()
    parts = spec.open(threading.Event(), Hooks(ignore, lambda _batch, _seconds: None))
    store = parts.publisher._store
    assert isinstance(store, KafkaStore)
    assert store._client["sasl.password"] == "second"
