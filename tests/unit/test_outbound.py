"""How requests leave this machine: what the configuration and the environment say, and what is a mistake."""

from pathlib import Path

import pytest

from connector import config
from connector.config import Config
from connector.errors import ConfigError

KAFKA = '[kafka]\nbootstrap_servers = "localhost:9092"\n'
BLOG = '[connections.blog]\nvendor = "contentful"\nspace = "s1"\ntoken = { env = "TOKEN" }\n'
ENVIRON = {"TOKEN": "tok-1234-secret"}


def load(tmp_path: Path, text: str, environ: dict[str, str]) -> Config:
    """Load a configuration."""
    path = tmp_path / "contentwire.toml"
    path.write_text(text)
    return config.load(path, {**ENVIRON, **environ})


def test_proxies_and_certificates_are_configured_for_each_other_side(tmp_path: Path) -> None:
    """The file's proxy wins over the environment's; credentials come by reference and are known to be secret."""
    registry = 'registry = { url = "https://r.example", proxy = "http://p:3128" }\n'
    text = KAFKA + registry + BLOG + 'proxy = { env = "PROXY" }\n'
    loaded = load(tmp_path, text, {"PROXY": "http://me:hush-hush@q:8080", "HTTPS_PROXY": "http://e:1"})
    assert loaded.kafka.registry
    chosen = [
        loaded.kafka.registry.proxy_to("https://r.example"),
        loaded.connections["blog"].proxy_to("https://cms.example"),
        loaded.connections["blog"].proxy_to("http://127.0.0.1:1"),
    ]
    assert [each and each.url for each in chosen] == ["http://p:3128", "http://q:8080", None]
    assert "hush-hush" not in repr(loaded)
    assert "http://me:hush-hush@q:8080" in loaded.secrets()
    other = load(tmp_path, KAFKA + BLOG, {"HTTPS_PROXY": "http://u:from-env@e:1"})
    assert "from-env" in other.secrets()
    assert "from-env" not in repr(other)


@pytest.mark.parametrize(
    ("text", "environ", "problem"),
    [
        (KAFKA + BLOG, {"ALL_PROXY": "socks5h://p:1"}, "environment: ALL_PROXY: names a SOCKS proxy"),
        (KAFKA + BLOG, {"SSL_CERT_FILE": "/nowhere.pem"}, "environment: SSL_CERT_FILE: /nowhere.pem is no file"),
        (KAFKA + BLOG + 'proxy = "http://u:p@q"\n', {}, "connections.blog.proxy: holds credentials"),
        (KAFKA + BLOG + 'proxy = "nonsense://"\n', {}, "connections.blog.proxy: is no URL of a proxy"),
        (KAFKA + BLOG + 'ca = "none.pem"\n', {}, "connections.blog.ca: "),
        (KAFKA + BLOG + "outbound = 1\n", {}, "connections.blog.outbound: unknown key"),
        (KAFKA + BLOG, {"TOKEN": "tok-1234-secret "}, "connections.blog.token: the secret begins or ends with a blank"),
        (KAFKA + BLOG, {"TOKEN": "\u00a0tok"}, "connections.blog.token: the secret "),
        (KAFKA + BLOG, {"TOKEN": "two\nlines"}, "connections.blog.token: the secret must be one line"),
    ],
)
def test_what_no_request_could_carry_or_take_is_named(
    tmp_path: Path, text: str, environ: dict[str, str], problem: str
) -> None:
    """A mistake in the environment, a proxy, certificates or a credential is found before anything is sent."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, environ)
    assert any(line.startswith(problem) for line in caught.value.problems), caught.value.problems
