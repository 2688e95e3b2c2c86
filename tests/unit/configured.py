"""A stream as a configuration file makes it, for tests that contact nothing."""

from collections.abc import Mapping
from pathlib import Path

from connector.config.load import load
from connector.testing import ManualClock
from connector.wiring import ConfiguredStream

ENVIRON = {"T": "tok-1234-secret", "R": "reg-5678-secret", "W": "hook-9012-secret"}


def configured(
    folder: Path, *, blog: str = "", kafka: str = "", more: str = "", environ: Mapping[str, str] = ENVIRON
) -> ConfiguredStream:
    """Return the stream `blog`, of Contentful, with further lines in its table, in Kafka's, and behind both."""
    path = folder / "contentwire.toml"
    path.write_text(
        f'[kafka]\nbootstrap_servers = "127.0.0.1:1"\n{kafka}\n'
        f'[connections.blog]\nvendor = "contentful"\nspace = "s1"\ntoken = {{ env = "T" }}\n{blog}\n{more}\n'
    )
    return ConfiguredStream(load(path, environ), "blog", ManualClock())
