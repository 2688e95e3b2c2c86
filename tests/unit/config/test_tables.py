"""Connections written as a configuration: it loads to what was given, and contains no secret."""

import tomllib
from pathlib import Path

import pytest

from connector import vendors
from connector.config.load import load
from connector.config.tables import tables
from connector.simulator import connection


@pytest.mark.parametrize("vendor", vendors.names())
def test_what_is_written_loads_to_what_was_given(tmp_path: Path, vendor: str) -> None:
    """With the environment returned, every setting equals the connection's."""
    given = connection(vendor)
    text, environ = tables({"my-blog": given})
    path = tmp_path / "contentwire.toml"
    path.write_text(f'[kafka]\nbootstrap_servers = "localhost:9092"\n{text}')
    loaded = load(path, environ).connections["my-blog"]
    assert loaded.vendor == vendor
    settings = {name: getattr(loaded.settings, name) for name in given if name != "vendor"}
    shown = {name: getattr(value, "get_secret_value", lambda value=value: value)() for name, value in settings.items()}
    assert shown == {name: value for name, value in given.items() if name != "vendor"}


@pytest.mark.parametrize("vendor", vendors.names())
def test_a_secret_is_only_in_the_environment(vendor: str) -> None:
    """The tables can be pasted anywhere; the variable's name says whose secret it holds."""
    text, environ = tables({"my-blog": connection(vendor)})
    assert environ
    assert [secret for secret in environ.values() if secret in text] == []
    assert "SIMULATED_MY_BLOG_TOKEN" in environ


def test_a_value_is_quoted_as_toml_wants_it() -> None:
    """Whatever it contains: the table loads to the same text."""
    value = 'a "quoted" \\ path\tand\nmore'
    text, _ = tables({"blog": {**connection(vendors.names()[0]), "note": value}})
    assert tomllib.loads(text)["connections"]["blog"]["note"] == value


def test_each_connection_is_one_table() -> None:
    """In the order given, each with its own variables."""
    one = connection(vendors.names()[0])
    text, environ = tables({"b": one, "a": one})
    assert list(tomllib.loads(text)["connections"]) == ["b", "a"]
    assert {"SIMULATED_A_TOKEN", "SIMULATED_B_TOKEN"} <= environ.keys()
    assert tables({}) == ("", {})
