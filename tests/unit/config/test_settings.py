"""The configuration: what a good file gives, and what each mistake an operator can make says."""

import base64
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from connector import vendors
from connector.config import load as loader
from connector.config.settings import Config, Connection, KafkaConfig
from connector.errors import ConfigError

ACME = '''
"""A fourth vendor: one new file."""
from pydantic import SecretStr
from connector.cms.vendor import Settings

class AcmeSettings(Settings):
    space: str
    api_key: SecretStr | None = None

class Acme:
    name = "acme"
    settings_type = AcmeSettings
    localized = True
    entity_types = frozenset(("entry", "asset"))

VENDOR = Acme
'''
KAFKA = '[kafka]\nbootstrap_servers = "localhost:9092"\n'
BLOG = '[connections.blog]\nvendor = "acme"\nspace = "s1"\ntoken = { env = "TOKEN" }\n'
ENVIRON = {"TOKEN": "tok-1234-secret", "KAFKA_PASSWORD": "pa$$ word"}

Load = Callable[..., Config]
Problems = Callable[[str], tuple[str, ...]]


@pytest.fixture(autouse=True)
def _acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a vendor called acme the way a fourth vendor would come: as one more module."""
    folder = tmp_path / "vendors"
    folder.mkdir()
    (folder / "acme.py").write_text(ACME)
    monkeypatch.setattr(vendors, "__path__", [*vendors.__path__, str(folder)])
    yield
    sys.modules.pop("connector.vendors.acme", None)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a text or bytes as a configuration file."""

    def run(text: str | bytes, environ: dict[str, str] = ENVIRON) -> Config:
        path = tmp_path / "contentwire.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return loader.load(path, environ)

    return run


@pytest.fixture
def problems(load: Load) -> Problems:
    """Return the problems of a text that cannot be used."""

    def run(text: str) -> tuple[str, ...]:
        with pytest.raises(ConfigError) as caught:
            load(text)
        return caught.value.problems

    return run


def test_a_minimal_file_gives_the_documented_defaults(load: Load) -> None:
    """Two tables are enough; everything else has the default the documentation names."""
    loaded = load(KAFKA + BLOG)
    kafka, blog = loaded.kafka, loaded.connections["blog"]
    assert (kafka.prefix, kafka.topic, kafka.registry) == ("contentwire", "{prefix}.{connection}.changes", None)
    assert (kafka.partitions, kafka.replication_factor, kafka.heartbeat) == (6, -1, 600)
    assert (kafka.commit_items, kafka.commit_bytes, kafka.commit_interval) == (10_000, 67_108_864, 1)
    assert (kafka.transaction_timeout, kafka.max_message_bytes) == (20, 8_388_608)
    assert (blog.name, blog.vendor, blog.poll_interval, blog.request_timeout) == ("blog", "acme", 30, 30)
    assert (blog.snapshot_mode, blog.envelope, blog.tombstones) == ("initial", "debezium", True)
    assert (blog.unseen_deletes, blog.republish, blog.max_delete_share) == ("publish", "changed", 0.2)
    assert (blog.malformed, blog.oversized, blog.max_response_bytes) == ("dead-letter", "dead-letter", 67_108_864)
    assert (blog.content_types, blog.entity_types, blog.locales) == (None, None, None)
    assert blog.settings.token.get_secret_value() == "tok-1234-secret"
    assert loaded.server is None


def test_vendor_keys_and_common_keys_share_one_table(load: Load) -> None:
    """A connection's table holds the vendor's keys and the common ones side by side."""
    blog = load(KAFKA + BLOG + 'page_size = 10\nlocales = ["en", "de", "en"]\nentity_types = ["entry"]\n')
    assert blog.connections["blog"].settings.page_size == 10
    assert blog.connections["blog"].locales == ("de", "en")
    assert blog.connections["blog"].entity_types == ("entry",)


def test_no_vendor_claims_a_common_key() -> None:
    """A key means one thing: no vendor's settings repeat a key that every connection has."""
    for name in vendors.names():
        assert not vendors.find(name).settings_type.model_fields.keys() & Connection.model_fields.keys()


def test_every_problem_is_reported_at_once_with_its_path(problems: Problems) -> None:
    """One run of the command shows everything there is to correct."""
    text = (
        '[kafka]\npartitions = 0\n[connections.blog]\nvendor = "acme"\ntoken = { env = "NOPE" }\npage_size = "9"\n'
        '[connections.Shop]\nvendor = "acne"\npoll_interval = -1\n[server]\nlisten = "here"\n'
    )
    assert {line.split(": ")[0] for line in problems(text)} == {
        "kafka.bootstrap_servers",
        "kafka.partitions",
        "connections.blog.token",
        "connections.blog.space",
        "connections.blog.page_size",
        "connections.Shop",
        "connections.Shop.vendor",
        "connections.Shop.poll_interval",
        "server.listen",
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[kafka]\nbootstrap_servers = 9092\n" + BLOG, "kafka.bootstrap_servers: must be a valid string, not 9092"),
        (
            '[kafka]\nbootstrap_servers = ["a:1"]\n' + BLOG,
            "kafka.bootstrap_servers: must be a valid string, not an array",
        ),
        (
            '[kafka]\nbootstrap_servers = "http://a:1"\n' + BLOG,
            'kafka.bootstrap_servers: must be "host:port", several separated by commas',
        ),
        (
            KAFKA + 'bootstrap_server = "x"\n' + BLOG,
            "kafka.bootstrap_server: unknown key; did you mean bootstrap_servers?",
        ),
        (KAFKA + BLOG + "poll_intervall = 3\n", "connections.blog.poll_intervall: unknown key; did you mean poll_inte"),
        (KAFKA + BLOG + 'spaec = "s"\n', "connections.blog.spaec: unknown key; did you mean space?"),
        (KAFKA + BLOG + 'name = "x"\n', "connections.blog.name: unknown key; "),
        (KAFKA + BLOG + "[conections.x]\n", "conections: unknown key; did you mean connections?"),
        (KAFKA + BLOG + "poll_interval = nan\n", "connections.blog.poll_interval: "),
        (KAFKA + BLOG + "poll_interval = inf\n", "connections.blog.poll_interval: "),
        (KAFKA + BLOG + "poll_interval = true\n", "connections.blog.poll_interval: must be a valid number, not True"),
        (KAFKA + BLOG + 'snapshot_mode = "once"\n', "connections.blog.snapshot_mode: must be 'initial', "),
        (
            KAFKA + BLOG + 'snapshot_mode = "when_needed"\n',
            'connections.blog.snapshot_mode: write "initial", which takes ',
        ),
        (KAFKA + BLOG + "locales = []\n", "connections.blog.locales: must name at least one, or be left out"),
        (KAFKA + BLOG + 'entity_types = ["page"]\n', "connections.blog.entity_types[0]: must be 'entry', 'asset' or"),
        (KAFKA + BLOG + "locales = [1]\n", "connections.blog.locales[0]: must be a valid string, not 1"),
        (
            KAFKA + BLOG + "max_delete_share = 20\n",
            "connections.blog.max_delete_share: must be less than or equal to 1",
        ),
        (KAFKA + BLOG + "page_size = 0\n", "connections.blog.page_size: must be greater than or equal to 1, not 0"),
        (KAFKA + BLOG + 'base_url = "http://cms.example"\n', "connections.blog: base_url would send the token unencry"),
        (
            KAFKA + BLOG + 'base_url = "http://127.evil.example"\n',
            "connections.blog: base_url would send the token une",
        ),
        (KAFKA + BLOG + 'base_url = "HTTP://cms.example"\n', "connections.blog: base_url would send the token unencry"),
        (
            KAFKA + BLOG + 'base_url = "https://cms.example/v3?x=1"\n',
            "connections.blog.base_url: base_url must be scheme, ",
        ),
        (KAFKA + BLOG + 'base_url = "https://u:p@cms.example"\n', "connections.blog.base_url: base_url must be scheme"),
        (KAFKA + BLOG + 'base_url = "cms.example"\n', "connections.blog.base_url: base_url must be a URL like https:"),
        (KAFKA + "[connections]\n", "connections: write a table [connections.<name>]"),
        (KAFKA, "connections: write a table [connections.<name>]"),
        (KAFKA + '[connections]\nvendor = "acme"\n', "connections.vendor: must be a table, not a string"),
        (KAFKA + "[[connections]]\n", "connections: write a table [connections.<name>]"),
        ("kafka = 1\n" + BLOG, "kafka: must be a table, not an integer"),
        (
            KAFKA + BLOG.replace("blog", '"my.blog"'),
            'connections."my.blog": a connection\'s name consists of lower',
        ),
        (KAFKA + "[connections.blog]\nspace = 1\n", "connections.blog.vendor: is required: one of acme"),
        (KAFKA + '[connections.blog]\nvendor = "acne"\n', "connections.blog.vendor: unknown vendor 'acne'; known vend"),
        (
            KAFKA + 'prefix = "a b"\n' + BLOG,
            "kafka.prefix: must consist of the characters that Kafka allows in a topic",
        ),
        (KAFKA + "replication_factor = 0\n" + BLOG, "kafka.replication_factor: must be -1"),
        (KAFKA + "partitions = 2.5\n" + BLOG, "kafka.partitions: must be a valid integer, not 2.5"),
        (
            KAFKA + 'topic_config = { "cleanup.policy" = "delete" }\n' + BLOG,
            "kafka.topic_config: cleanup.policy is com",
        ),
        (
            KAFKA + 'topic_config = { "max.message.bytes" = 9 }\n' + BLOG,
            "kafka.topic_config: max.message.bytes follows",
        ),
        (KAFKA + BLOG + '[server]\nlisten = "0.0.0.0:99999"\n', 'server.listen: must be "host:port"'),
        (KAFKA + BLOG + '[server]\nlisten = ":9464"\n', 'server.listen: must be "host:port"'),
        (KAFKA + 'registry = "http://r:8081"\n' + BLOG, "kafka.registry: "),
        (KAFKA + 'registry = { url = "r:8081" }\n' + BLOG, "kafka.registry.url: must be a URL like https://"),
        (KAFKA + 'registry = { url = "http://u:p@r" }\n' + BLOG, "kafka.registry.url: holds credentials"),
        (
            KAFKA + 'registry = { url = "http://r", user = "u" }\n' + BLOG,
            "kafka.registry: user and password belong toge",
        ),
        (
            KAFKA + 'registry = { url = "http://r", pasword = "x" }\n' + BLOG,
            "kafka.registry.pasword: unknown key; did y",
        ),
        (KAFKA + 'registry = { url = "http://r", ca = "no.pem" }\n' + BLOG, "kafka.registry.ca: "),
    ],
)
def test_a_mistake_is_named_where_it_is_with_the_way_out(problems: Problems, text: str, problem: str) -> None:
    """Each single mistake gives exactly one line, with its path and what to write instead."""
    assert [line[: len(problem)] for line in problems(text)] == [problem]


def test_a_reference_where_no_secret_belongs_is_explained(problems: Problems) -> None:
    """A reference for a plain value is refused with what to write."""
    text = KAFKA + BLOG.replace('space = "s1"', 'space = { env = "SPACE" }')
    assert problems(text) == ("connections.blog.space: is not a secret: write the value itself",)


def test_secrets_never_show(load: Load) -> None:
    """Neither repr nor str of a configuration holds a secret; `secrets()` lists all, and what headers make of them."""
    text = (
        KAFKA
        + 'client = { "sasl.password" = { env = "KAFKA_PASSWORD" }, "sasl.username" = "me" }\n'
        + 'registry = { url = "http://r:8081", user = "u", password = { env = "REGISTRY" } }\n'
        + BLOG
        + 'api_key = { env = "KEY" }\n'
    )
    environ = {**ENVIRON, "REGISTRY": "reg-pass", "KEY": "key-5678"}
    loaded = load(text, environ)
    basic = base64.b64encode(b"u:reg-pass").decode()
    assert loaded.secrets() == {*environ.values(), basic}
    shown = f"{loaded!r} {loaded} {loaded.kafka.client!r}"
    assert not [secret for secret in environ.values() if secret in shown]
    assert "'me'" in shown


def test_client_settings_reach_the_client_as_text(load: Load) -> None:
    """TOML's booleans and numbers become what librdkafka reads, secrets included, beside the brokers."""
    client = '"sasl.password" = { env = "KAFKA_PASSWORD" }, "socket.keepalive.enable" = true, "linger.ms" = 5'
    loaded = load(f"{KAFKA}client = {{ {client}, debug = 'eos', 'session.timeout.ms' = 10_000 }}\n{BLOG}")
    assert loaded.kafka.properties() == {
        "bootstrap.servers": "localhost:9092",
        "sasl.password": "pa$$ word",
        "socket.keepalive.enable": "true",
        "linger.ms": "5",
        "debug": "eos",
        "session.timeout.ms": "10000",
    }


@pytest.mark.parametrize("name", ["sasl.password", "ssl.key.password", "sasl.oauthbearer.client.secret", "ssl.key.pem"])
def test_a_literal_credential_for_the_client_is_refused(problems: Problems, name: str) -> None:
    """A credential of the Kafka client is a secret like every other."""
    (line,) = problems(f'{KAFKA}client = {{ "{name}" = "hunter2" }}\n{BLOG}')
    assert "a secret is never written into the file" in line
    assert "hunter2" not in line


def test_a_private_key_may_have_many_lines(load: Load) -> None:
    """PEM text is a secret of several lines, and passes."""
    loaded = load(KAFKA + 'client = { "ssl.key.pem" = { env = "PEM" } }\n' + BLOG, {**ENVIRON, "PEM": "ab\ncd"})
    assert loaded.kafka.client["ssl.key.pem"] == SecretStr("ab\ncd")


def test_a_client_setting_that_delivery_rests_on_is_refused_with_the_reason(problems: Problems) -> None:
    """What contentwire owns cannot be broken from the file, and the line says why."""
    (line,) = problems(f'{KAFKA}client = {{ "transactional.id" = "x" }}\n{BLOG}')
    assert line.startswith('kafka.client."transactional.id": is not yours to set: ')


@pytest.mark.parametrize(
    ("topic", "problem"),
    [
        ("cms.changes", "must contain {connection} between dots"),
        ("{prefix}-{connection}-{locale}", "must contain {connection} between dots"),
        ("{prefix}.{connection}.{content_type}", "{content_type} cannot route"),
        ("{prefix}.{connection}.{}", "{} cannot route"),
        ("{prefix}.{connection!r}", "{connectionr} cannot route"),
        ("{prefix}.{connection.name}", "{connection.name} cannot route"),
        ("{prefix}.{connection", "is not a template"),
        ("{prefix}.{connection}.a b", "must consist of the characters"),
        ("{prefix}.{connection}.state", "which contentwire reserves for itself"),
        ("{prefix}.{connection}.dead-letters", "which contentwire reserves for itself"),
        ("{prefix}.{connection}." + "x" * 240, "longer than 249 characters"),
    ],
)
def test_a_topic_template_that_would_mix_streams_is_refused(problems: Problems, topic: str, problem: str) -> None:
    """No template may route by what a delete does not know, or lead two kinds of records into one topic."""
    (line,) = problems(f'{KAFKA}topic = "{topic}"\n{BLOG}')
    assert line.startswith("kafka.topic: ")
    assert problem in line


def test_a_connection_called_like_a_topic_ending_is_caught(problems: Problems) -> None:
    """A template may be harmless for one name and lead into the state topic for another."""
    text = KAFKA + 'topic = "{prefix}.state.{connection}"\n' + BLOG.replace("blog", "state")
    assert ["reserves for itself" in line for line in problems(text)] == [True]


@pytest.mark.parametrize(
    ("listen", "host", "port"), [("127.0.0.1:0", "127.0.0.1", 0), ("[::1]:9464", "::1", 9464), ("web:80", "web", 80)]
)
def test_the_listening_address_is_split(load: Load, listen: str, host: str, port: int) -> None:
    """Names, IPv4 and bracketed IPv6 addresses are understood; port 0 means any."""
    server = load(f'{KAFKA}{BLOG}[server]\nlisten = "{listen}"\n').server
    assert server is not None
    assert (server.host, server.port) == (host, port)


def test_http_is_for_loopback_or_on_demand(load: Load) -> None:
    """A local server needs no TLS; a remote one only if the operator says so."""
    for line in ('base_url = "http://127.0.0.1:8080"', 'base_url = "http://[::1]:1"', 'base_url = "http://localhost"'):
        load(KAFKA + BLOG + line + "\n")
    load(KAFKA + BLOG + 'base_url = "http://cms.internal/"\nallow_http = true\n')


def test_a_loaded_configuration_cannot_be_changed(load: Load) -> None:
    """Every part is frozen, its mappings included."""
    loaded = load(KAFKA + BLOG)
    with pytest.raises(ValueError, match="frozen"):
        loaded.kafka.prefix = "other"
    with pytest.raises(TypeError):
        loaded.connections["new"] = loaded.connections["blog"]  # type: ignore[index]
    with pytest.raises(TypeError):
        loaded.kafka.client["acks"] = "0"  # type: ignore[index]


SAMPLE_ENVIRON = dict.fromkeys(re.findall(r'env = "(\w+)"', loader.sample()), "secret-value")


def test_the_sample_is_valid(load: Load) -> None:
    """What `init` writes can be used as it stands, given the one token it names."""
    loaded = load(loader.sample(), {"CONTENTFUL_TOKEN": "secret-value"})
    assert list(loaded.connections) == ["blog"]
    assert loaded.server is not None


def test_every_commented_line_of_the_sample_is_valid(load: Load, tmp_path: Path) -> None:
    """Taking the comment mark off any of the sample's lines gives a valid configuration."""
    (tmp_path / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())
    sample = loader.sample().splitlines()
    commented = [line for line in sample if line.startswith("#") and line[1:2].isalpha()]
    assert len(commented) > 20
    tables = [index for index, line in enumerate(sample) if line.startswith("#[")]
    settings = [index for index, line in enumerate(sample) if line in commented and index < tables[0]]
    for index in settings:
        load("\n".join([*sample[:index], sample[index][1:], *sample[index + 1 :]]), SAMPLE_ENVIRON)
    with_vendors = [line.removeprefix("#") if index >= tables[0] else line for index, line in enumerate(sample)]
    prose = [line for line in with_vendors if not line.startswith(" ")]
    followed = load("\n".join(prose), SAMPLE_ENVIRON).connections.values()
    assert {"acme", *(each.vendor for each in followed)} == set(vendors.names())


def test_the_sample_shows_the_real_defaults() -> None:
    """A commented line of a key that has a plain default shows that default."""
    text = loader.sample()
    kafka, _, connection = text.partition("[connections.blog]")
    blog = vendors.find("contentful").settings_type.model_fields | Connection.model_fields
    for part, fields in ((kafka, KafkaConfig.model_fields), (connection.partition("#[")[0], blog)):
        lines = [line[1:] for line in part.splitlines() if line.startswith("#") and line[1:2].isalpha()]
        shown = {key: value for line in lines for key, value in tomllib.loads(line).items()}
        plain = {key: fields[key].default for key in shown if isinstance(fields[key].default, str | int | float)}
        assert len(plain) >= 8
        assert {key: shown[key] for key in plain} == plain
