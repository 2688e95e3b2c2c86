"""Processes with another configuration: distinguished from those with ours."""

from pathlib import Path

import pytest

from connector import wiring
from connector.config.load import load
from connector.kafka.cluster import Member
from connector.kafka.peers import client_id, differing

TOML = """
[kafka]
bootstrap_servers = "nowhere:9092"
{kafka}

[connections.blog]
vendor = "contentful"
space = "s1"
token = {{ env = "T" }}
{connection}
"""


def signature(tmp_path: Path, kafka: str = "", connection: str = "") -> str:
    """Return the signature of a configuration."""
    path = tmp_path / "c.toml"
    path.write_text(TOML.format(kafka=kafka, connection=connection))
    return wiring.signature(wiring.streams(load(path, {"T": "tok-1-secret", "U": "tok-2-secret"})))


def test_a_member_differs_only_by_its_signature() -> None:
    """Another host or process is no difference; a member that an operator named is not judged."""
    ours, same = Member(client_id("0a1b2c3d"), "h"), Member("contentwire-a-b-77-0a1b2c3d", "h2")
    other, named = Member("contentwire-a-1-ffffffff", "h"), Member("my-client", "h")
    assert differing([ours, same, named, other], "0a1b2c3d") == [other]


@pytest.mark.parametrize(
    "changed",
    [
        {"connection": 'content_types = ["post"]'},
        {"connection": 'environment = "staging"'},
        {"kafka": 'topic = "{prefix}.{connection}.{locale}"'},
        {"connection": '[connections.shop]\nvendor = "contentful"\nspace = "s2"\ntoken = { env = "U" }'},
    ],
)
def test_what_is_followed_makes_the_signature(tmp_path: Path, changed: dict[str, str]) -> None:
    """Filters, scope, topics and the connections themselves do."""
    assert signature(tmp_path, **changed) != signature(tmp_path)


def test_how_it_is_followed_does_not(tmp_path: Path) -> None:
    """Secrets, intervals and addresses do not: they may differ from machine to machine."""
    assert signature(tmp_path, connection="poll_interval = 5") == signature(tmp_path)
