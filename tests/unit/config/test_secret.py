"""Secrets in files: read again on request, and never lost to a file that is being replaced."""

from collections.abc import Collection
from pathlib import Path

import pytest

from connector.cli.session import Session
from connector.config.load import load
from connector.config.reading import Reading
from connector.config.secret import Secret
from connector.errors import ConfigError


def referred(folder: Path, value: dict[str, str]) -> Secret:
    """Return a secret as a configuration in `folder` refers to it."""
    reading = Reading(folder, {"T": "from-env"})
    found = reading.secret(value, "token")
    assert reading.problems == []
    assert isinstance(found, Secret)
    return found


def test_a_rotated_file_is_seen_by_everybody_who_holds_the_secret(tmp_path: Path) -> None:
    """The text changes in place, once, and is masked as before."""
    file = tmp_path / "tok"
    file.write_text("first\n")
    held = referred(tmp_path, {"file": "tok"})
    assert (held.rotates, held.refresh(), held.get_secret_value()) == (True, False, "first")
    file.write_text("second\n")
    assert held.get_secret_value() == "first"
    assert (held.refresh(), held.refresh()) == (True, False)
    assert held.get_secret_value() == "second"
    assert "second" not in repr(held)
    assert "tok" in held.origin


@pytest.mark.parametrize("content", [None, b"", b"two\nlines", b"\xff"])
def test_a_file_that_cannot_be_used_leaves_the_former_secret(tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty, two lines or not text: the file may be in the middle of being replaced."""
    file = tmp_path / "tok"
    file.write_text("first")
    held = referred(tmp_path, {"file": "tok"})
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    assert (held.refresh(), held.get_secret_value()) == (False, "first")


def test_an_environment_is_read_once(tmp_path: Path) -> None:
    """The secret names its variable, and never changes."""
    held = referred(tmp_path, {"env": "T"})
    assert (held.rotates, held.refresh(), held.get_secret_value()) == (False, False, "from-env")
    assert held.origin == "the environment variable T"


TWO = """
[kafka]
bootstrap_servers = "b:9092"
registry = { url = "http://127.0.0.1:1", user = "u", password = { env = "REGISTRY" } }
client = { "sasl.password" = { env = "KAFKA" } }

[connections.blog]
vendor = "contentful"
space = "s1"
token = { env = "BLOG" }
proxy = { env = "PROXY" }

[connections.shop]
vendor = "contentstack"
api_key = { file = "key" }
token = { env = "SHOP" }
environment = "e"
"""


def missing(
    folder: Path, environ: dict[str, str], *, cms: Collection[str] | None = None, registry: bool = True
) -> list[str]:
    """Return which settings a configuration of two connections cannot be loaded without."""
    path = folder / "contentwire.toml"
    path.write_text(TWO)
    try:
        loaded = load(path, environ, cms=cms, registry=registry)
    except ConfigError as error:
        return [problem.partition(":")[0] for problem in error.problems]
    assert loaded.secrets() == set(environ.values())
    return []


def test_only_secrets_that_are_used_have_to_be_there(tmp_path: Path) -> None:
    """Kafka's always; a CMS's, with its proxy, only if it is contacted, and likewise the registry's."""
    kafka = {"KAFKA": "kafka-secret"}
    assert missing(tmp_path, {}, cms=(), registry=False) == ['kafka.client."sasl.password"']
    assert missing(tmp_path, kafka, cms=(), registry=False) == []
    assert missing(tmp_path, kafka, cms=()) == ["kafka.registry.password"]
    blog, shop = (
        ["connections.blog.proxy", "connections.blog.token"],
        ["connections.shop.api_key", "connections.shop.token"],
    )
    assert sorted(missing(tmp_path, kafka, cms=("blog",), registry=False)) == blog
    assert sorted(missing(tmp_path, kafka, registry=False)) == [*blog, *shop]


def test_a_secret_that_is_missing_is_never_sent(tmp_path: Path) -> None:
    """Asking for it gives an error that names the setting and the variable."""
    path = tmp_path / "contentwire.toml"
    path.write_text(TWO)
    session = Session(path, debug=False, environ={"KAFKA": "kafka-secret"})
    stream = session.stream("blog", cms=False, registry=False)
    with pytest.raises(ConfigError, match=r"connections\.blog\.token: the environment variable BLOG is not set"):
        stream.vendor.probe()
    with pytest.raises(ConfigError, match=r"connections\.blog\.proxy: the environment variable PROXY is not set"):
        stream.connection.proxy_to("https://cdn.contentful.com")


def test_a_literal_is_refused_also_where_it_is_not_used(tmp_path: Path) -> None:
    """A secret in the file is a mistake for every command."""
    path = tmp_path / "contentwire.toml"
    path.write_text(TWO.replace('{ env = "BLOG" }', '"literal"'))
    with pytest.raises(ConfigError, match=r"connections\.blog\.token: a secret is never written into the file"):
        load(path, {"KAFKA": "kafka-secret"}, cms=(), registry=False)
