"""The settings: what a valid file loads to, and the error for each mistake an operator can make."""

import base64

import pytest
from pydantic import SecretStr

from tests.unit.config.acme import BLOG, ENVIRON, KAFKA, Load, Problems


def test_a_minimal_file_gives_the_documented_defaults(load: Load) -> None:
    """Two tables are enough; everything else has its documented default."""
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
        (KAFKA + BLOG + 'entity_types = ["page"]\n', "connections.blog.entity_types[0]: must be 'entry', 'asset', '"),
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
def test_a_mistake_is_named_with_its_place_and_the_remedy(problems: Problems, text: str, problem: str) -> None:
    """Each single mistake gives exactly one line, with its path and what to write instead."""
    assert [line[: len(problem)] for line in problems(text)] == [problem]


def test_a_reference_where_no_secret_belongs_is_explained(problems: Problems) -> None:
    """A reference for a plain value is refused, with what to write instead."""
    text = KAFKA + BLOG.replace('space = "s1"', 'space = { env = "SPACE" }')
    assert problems(text) == ("connections.blog.space: is not a secret: write the value itself",)


def test_secrets_never_show(load: Load) -> None:
    """Neither repr nor str of a configuration holds a secret; `secrets()` lists all, also as headers encode them."""
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
    """TOML's booleans and numbers become librdkafka's text, and secrets are revealed, beside the brokers."""
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
    """A credential of the Kafka client is a secret like any other."""
    (line,) = problems(f'{KAFKA}client = {{ "{name}" = "hunter2" }}\n{BLOG}')
    assert "a secret is never written into the file" in line
    assert "hunter2" not in line


def test_a_private_key_may_have_many_lines(load: Load) -> None:
    """PEM text is a secret of several lines, and is accepted."""
    loaded = load(KAFKA + 'client = { "ssl.key.pem" = { env = "PEM" } }\n' + BLOG, {**ENVIRON, "PEM": "ab\ncd"})
    assert loaded.kafka.client["ssl.key.pem"] == SecretStr("ab\ncd")


def test_a_client_setting_that_delivery_depends_on_is_refused_with_the_reason(problems: Problems) -> None:
    """What contentwire owns cannot be broken from the file, and the line says why."""
    (line,) = problems(f'{KAFKA}client = {{ "transactional.id" = "x" }}\n{BLOG}')
    assert line.startswith('kafka.client."transactional.id": is not yours to set: ')


@pytest.mark.parametrize(
    ("listen", "host", "port"), [("127.0.0.1:0", "127.0.0.1", 0), ("[::1]:9464", "::1", 9464), ("web:80", "web", 80)]
)
def test_the_listening_address_is_split(load: Load, listen: str, host: str, port: int) -> None:
    """Names, IPv4 and bracketed IPv6 addresses are understood; port 0 means any."""
    server = load(f'{KAFKA}{BLOG}[server]\nlisten = "{listen}"\n').server
    assert server is not None
    assert (server.host, server.port) == (host, port)


def test_http_is_for_loopback_or_on_demand(load: Load) -> None:
    """A local server needs no TLS; a remote one does, unless the operator says otherwise."""
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
