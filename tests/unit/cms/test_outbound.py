"""How requests leave this machine: what the configuration and the environment say, and which mistakes are found."""

import base64
from pathlib import Path

import pytest

from connector.cms import http, outbound
from connector.cms.outbound import Outbound
from connector.config import load as loader
from connector.config.settings import Config
from connector.errors import ConfigError

KAFKA = '[kafka]\nbootstrap_servers = "localhost:9092"\n'
BLOG = '[connections.blog]\nvendor = "contentful"\nspace = "s1"\ntoken = { env = "TOKEN" }\n'
REGISTRY = 'registry = {{ url = "http://r:8081", user = "{}", password = {{ env = "PASS" }} }}\n'
ENVIRON = {"TOKEN": "tok-1234-secret"}


def load(tmp_path: Path, text: str, environ: dict[str, str]) -> Config:
    """Load a configuration."""
    path = tmp_path / "contentwire.toml"
    path.write_text(text)
    return loader.load(path, {**ENVIRON, **environ})


def test_each_destination_has_its_proxy_and_certificates(tmp_path: Path) -> None:
    """The file's proxy wins over the environment's; credentials come by reference and count as secrets."""
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
    basic = base64.b64encode(b"me:hush-hush").decode()
    assert {"http://me:hush-hush@q:8080", "hush-hush", basic} <= loaded.secrets()
    other = load(tmp_path, KAFKA + BLOG, {"HTTPS_PROXY": "http://u:from-env@e:1"})
    assert "from-env" in other.secrets()
    assert "from-env" not in repr(other)


@pytest.mark.parametrize(
    ("text", "environ", "problem"),
    [
        (KAFKA + BLOG, {"ALL_PROXY": "socks5h://p:1"}, "environment: ALL_PROXY: names a SOCKS proxy"),
        (KAFKA + BLOG, {"SSL_CERT_FILE": "/nowhere.pem"}, "environment: SSL_CERT_FILE: /nowhere.pem holds no read"),
        (KAFKA + BLOG, {"SSL_CERT_FILE": "/etc"}, "environment: SSL_CERT_FILE: /etc holds no readable"),
        (KAFKA + BLOG, {"SSL_CERT_FILE": __file__}, f"environment: SSL_CERT_FILE: {__file__} holds no readable"),
        (KAFKA + BLOG, {"SSL_CERT_DIR": "/nowhere"}, "environment: SSL_CERT_DIR: /nowhere holds no readable"),
        (KAFKA + BLOG, {"SSL_CERT_DIR": __file__}, f"environment: SSL_CERT_DIR: {__file__} holds no readable"),
        (KAFKA + BLOG + 'proxy = "http://u:p@q"\n', {}, "connections.blog.proxy: holds credentials"),
        (KAFKA + BLOG + 'proxy = "nonsense://"\n', {}, "connections.blog.proxy: is not a proxy URL"),
        (KAFKA + BLOG + 'proxy = { env = "P" }\n', {"P": "socks5://u:p@q"}, "connections.blog.proxy: names a SOCKS"),
        (KAFKA + BLOG + 'proxy = ""\n', {}, "connections.blog.proxy: is not a proxy URL"),
        (KAFKA + BLOG + 'ca = "none.pem"\n', {}, "connections.blog.ca: "),
        (KAFKA + BLOG + 'ca = "."\n', {}, "connections.blog.ca: "),
        (KAFKA + BLOG + 'base_url = "https://a..b"\n', {}, "connections.blog.base_url: base_url must be a URL"),
        (KAFKA + BLOG + 'base_url = "https://a:0"\n', {}, "connections.blog.base_url: base_url must be a URL"),
        (KAFKA + BLOG + 'base_url = "https://a/\\u0007"\n', {}, "connections.blog.base_url: base_url must be a URL"),
        (KAFKA + 'registry = { url = "http://r:99999" }\n' + BLOG, {}, "kafka.registry.url: "),
        (KAFKA + 'registry = { url = "http://r r" }\n' + BLOG, {}, "kafka.registry.url: "),
        (KAFKA + 'registry = { url = "http://[r" }\n' + BLOG, {}, "kafka.registry.url: "),
        (KAFKA + 'registry = { url = "http://r/?x=1" }\n' + BLOG, {}, "kafka.registry.url: "),
        (KAFKA + REGISTRY.format("me ") + BLOG, {"PASS": "word"}, "kafka.registry.user: must be one line"),
        (KAFKA + REGISTRY.format("m:e") + BLOG, {"PASS": "word"}, "kafka.registry.user: must be one line"),
        (KAFKA + REGISTRY.format("m\\ne") + BLOG, {"PASS": "word"}, "kafka.registry.user: must be one line"),
        (KAFKA + REGISTRY.format("me") + BLOG, {"PASS": "word "}, "kafka.registry.password: the secret begins or ends"),
        (KAFKA + REGISTRY.format("me") + BLOG, {"PASS": "wo\x07rd"}, "kafka.registry.password: the secret must be one"),
        (KAFKA + BLOG + "outbound = 1\n", {}, "connections.blog.outbound: unknown key"),
        (
            KAFKA + BLOG,
            {"TOKEN": "tok-1234-secret "},
            "connections.blog.token: the secret begins or ends with whitespace",
        ),
        (KAFKA + BLOG, {"TOKEN": "\u00a0tok"}, "connections.blog.token: the secret "),
        (KAFKA + BLOG, {"TOKEN": "two\nlines"}, "connections.blog.token: the secret must be one line"),
    ],
)
def test_what_no_request_could_use_is_named(tmp_path: Path, text: str, environ: dict[str, str], problem: str) -> None:
    """A mistake in the environment, a proxy, certificates or a credential is found before anything is sent."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, environ)
    assert any(line.startswith(problem) for line in caught.value.problems), caught.value.problems


def test_a_proxy_rotated_into_nonsense_is_named(tmp_path: Path) -> None:
    """A secret is read again while a process runs: a bad value is reported, and does not crash anything."""
    file = tmp_path / "proxy"
    file.write_text("http://me:old-secret@proxy.example:3128\n")
    loaded = load(tmp_path, KAFKA + BLOG + 'proxy = { file = "proxy" }\n', {})
    connection = loaded.connections["blog"]
    found = connection.proxy_to("https://cms.example")
    assert found
    assert str(found) == f"the proxy http://proxy.example:3128 from the file {file}"
    file.write_text("nonsense://new-secret\n")
    for secret in connection.secrets():
        secret.refresh()
    with pytest.raises(ConfigError, match=r"^proxy: is not a proxy URL") as caught:
        connection.proxy_to("https://cms.example")
    assert "new-secret" not in str(caught.value)
    # Every stream asks what to mask, even those that have nothing to do with this proxy.
    assert "nonsense://new-secret" in loaded.secrets()


def test_a_command_that_asks_no_cms_needs_no_proxy(tmp_path: Path) -> None:
    """As with every secret of a connection: an unused one may be missing."""
    text = KAFKA + BLOG + 'proxy = { env = "P" }\n'
    with pytest.raises(ConfigError):
        load(tmp_path, text, {})
    loaded = loader.load(tmp_path / "contentwire.toml", ENVIRON, cms=())
    assert loaded.secrets() == set(ENVIRON.values())
    with pytest.raises(ConfigError, match=r"^connections.blog.proxy: the environment variable P is not set"):
        loaded.connections["blog"].proxy_to("https://cms.example")


def test_a_wrong_variable_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    """Nothing in the file has to be corrected."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, KAFKA + BLOG, {"ALL_PROXY": "socks5://p"})
    assert caught.value.hint == "correct the variable"


def test_a_file_may_end_in_a_newline(tmp_path: Path) -> None:
    """Editors and `echo` add one, or one of Windows'; a space before it is a mistake."""
    text = KAFKA + BLOG.replace('{ env = "TOKEN" }', '{ file = "tok" }')
    for ending in ("\n", "\r\n", ""):
        (tmp_path / "tok").write_bytes(b"tok-secret-1" + ending.encode())
        assert "tok-secret-1" in load(tmp_path, text, {}).secrets()
    (tmp_path / "tok").write_bytes(b"tok-secret-1 \r\n")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, {})
    assert caught.value.problems == (
        "connections.blog.token: the secret begins or ends with whitespace, which no HTTP header preserves",
    )


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({"HTTPS_PROXY": "http://p:1"}, "https://cdn.contentful.com", "http://p:1"),
        ({"https_proxy": "p:1", "HTTPS_PROXY": "http://other:2"}, "https://cdn.contentful.com", "http://p:1"),
        ({"ALL_PROXY": "http://p:1/"}, "https://cdn.contentful.com", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "https://cdn.contentful.com", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://cms.internal", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "http://127.0.0.1:8080", None),
        ({"ALL_PROXY": "http://p:1"}, "http://[::1]:8080", None),
        ({"ALL_PROXY": "http://p:1"}, "http://localhost:8080", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://cdn.contentful.com", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "contentful.com"}, "https://cdn.contentful.com", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": ".contentful.com"}, "https://cdn.contentful.com", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "*.contentful.com"}, "https://cdn.contentful.com", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "tentful.com"}, "https://cdn.contentful.com", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "contentful.com:8443"}, "https://cdn.contentful.com", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "contentful.com:443"}, "https://cdn.contentful.com", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "fe80::/10,10.0.0.0/8"}, "https://[fe80::1]", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "fe80::/10, 10.0.0.0/8"}, "https://10.1.2.3", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "[fe80::1]:443"}, "https://[fe80::1]", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "[::1],10.1.2.3,,%$"}, "https://cms.internal", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "a.example b.example"}, "https://b.example", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "cms.example"}, "https://CMS.example./", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "CMS.example."}, "https://cms.example", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "https://cms.example"}, "https://cms.example", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "[fe80::]/10"}, "https://[fe80::1]", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/99,10.1.2.3"}, "https://10.1.2.3", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "0.1.2.3"}, "https://10.1.2.3", "http://p:1"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://p:1"}, "https://cms.example", None),
        ({"ALL_PROXY": "http://p:1"}, "http://127.1", None),
        ({"ALL_PROXY": "http://p:1"}, "http://2130706433", None),
        ({"ALL_PROXY": "http://p:1"}, "http://[::ffff:127.0.0.1]", None),
        ({"ALL_PROXY": "http://p:1"}, "http://0.0.0.0:8080", None),
        ({"ALL_PROXY": "http://p:1"}, "http://LOCALHOST.:8080", None),
        ({"ALL_PROXY": "http://p:1"}, "http://127.evil.example", "http://p:1"),
        ({"ALL_PROXY": "https://p"}, "https://cms.example", "https://p:443"),
        ({"ALL_PROXY": "http://[fe80::1]:3128"}, "https://cms.example", "http://[fe80::1]:3128"),
        ({"ALL_PROXY": "http://pröxy:3128"}, "https://cms.example", "http://xn--prxy-6qa:3128"),
    ],
)
def test_the_environment_chooses_the_proxy(environ: dict[str, str], url: str, proxy: str | None) -> None:
    """As operators write it: by scheme, names and their domains, addresses, networks, ports; never for loopback."""
    found, problems = outbound.read(environ)
    chosen = found.proxy_for(url)
    assert problems == []
    assert (chosen and chosen.url) == (proxy and f"{proxy}")


@pytest.mark.parametrize(
    "environ",
    [
        {"ALL_PROXY": "socks5h://me:hush@p:1080"},
        {"HTTPS_PROXY": "ftp://p"},
        {"https_proxy": "http://p:notaport"},
        {"HTTP_PROXY": "http://"},
        {"HTTP_PROXY": "http://[::1"},
        {"HTTP_PROXY": "http://me:hush@pro xy:3128"},
        {"HTTP_PROXY": "http://proxy:99999"},
        {"HTTP_PROXY": "http://a..b"},
        {"HTTP_PROXY": "http://proxy/path"},
        {"HTTP_PROXY": "http://me:hush%0Ab@proxy"},
        {"ALL_PROXY": "SOCKS4://p"},
        {"ALL_PROXY": "://"},
    ],
)
def test_a_variable_that_cannot_be_used_is_named(environ: dict[str, str]) -> None:
    """One line that begins with the variable's name."""
    (name,) = environ
    _, (problem,) = outbound.read(environ)
    assert problem.startswith(f"{name}: ")
    assert "hush" not in problem


def test_credentials_of_a_proxy_are_not_shown() -> None:
    """Neither in its URL nor in its repr; their form in headers counts as a secret too."""
    found, _ = outbound.read({"ALL_PROXY": "http://me:p%40ss@proxy.example:3128"})
    (proxy,) = found.proxies.values()
    assert (proxy.url, proxy.user, proxy.password) == ("http://proxy.example:3128", "me", "p@ss")
    assert "p@ss" not in repr(found)
    assert set(proxy.secrets()) == {"p@ss", "p%40ss", base64.b64encode(b"me:p@ss").decode()}
    token = outbound.proxy("http://eyJhbGciOiJIUzI1NiJ9@proxy.example", "X")
    assert "eyJhbGciOiJIUzI1NiJ9" in set(token.secrets())
    assert "eyJhbGciOiJIUzI1NiJ9" not in f"{token} {token.url}"


@pytest.mark.parametrize("content", [b"", b"no certificate"])
def test_unreadable_certificates_are_a_mistake(tmp_path: Path, content: bytes) -> None:
    """In the configuration or the environment: it is named, without a traceback."""
    file = tmp_path / "ca.pem"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"^ca: {file} "):
        http.certificates(file, Outbound())
    with pytest.raises(ConfigError, match=rf"^SSL_CERT_FILE: {file} "):
        http.certificates(None, Outbound(ca_file=file))
    with pytest.raises(ConfigError, match=rf"^SSL_CERT_DIR: {file} "):
        http.certificates(None, Outbound(ca_folders=f"{tmp_path}:{file}"))
    assert http.certificates(None, Outbound(ca_folders=f"{tmp_path}:{tmp_path}")).cert_store_stats()["x509"] == 0
