"""What every command starts from: the stream that it names, and the secrets to mask from then on."""

from pathlib import Path

import pytest

from connector.cli.session import Session
from connector.errors import ConfigError
from tests.unit.configured import ENVIRON, configured

TOKEN = ENVIRON["T"]


@pytest.fixture(name="session")
def _session(tmp_path: Path) -> Session:
    """Return a session whose configuration has one connection."""
    registry = 'registry = { url = "https://registry.example", user = "u", password = { env = "R" } }'
    configured(tmp_path, kafka=registry)
    return Session(tmp_path / "contentwire.toml", debug=False, environ=ENVIRON)


def test_a_command_gets_the_stream_that_it_names(session: Session) -> None:
    """With the whole configuration."""
    stream = session.stream("blog")
    assert (stream.name, list(stream.config.connections)) == ("blog", ["blog"])


def test_an_unknown_connection_names_the_known_ones(session: Session) -> None:
    """The error names the file too."""
    with pytest.raises(ConfigError, match=r"contentwire\.toml: there is no connection 'blgo'") as caught:
        session.stream("blgo")
    assert caught.value.hint == "known connections: blog"


def test_secrets_are_masked_once_they_are_read(session: Session) -> None:
    """Those of the CMS and of the registry; before that they are not known."""
    said = f"{TOKEN} and {ENVIRON['R']}"
    assert session.mask(said) == said
    session.config()
    assert TOKEN not in session.mask(said)
    assert ENVIRON["R"] not in session.mask(said)


def test_a_command_needs_only_the_secrets_that_it_uses(session: Session) -> None:
    """If no CMS and no registry is contacted, their secrets may be missing."""
    session.environ = {}
    assert session.stream("blog", cms=False, registry=False).name == "blog"
    for asked in ({"cms": True, "registry": False}, {"cms": False, "registry": True}):
        with pytest.raises(ConfigError, match="is not set"):
            session.stream("blog", **asked)


def test_without_a_log_no_line_is_lost(session: Session) -> None:
    """Commands that log nothing have nothing to lose."""
    assert session.lines_lost == 0
