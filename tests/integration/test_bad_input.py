"""Bad input as an operator meets it: the real command, the real broker, a message with a next step, an exit code."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

from connector.devservers.broker import Broker
from connector.events import codec
from connector.kafka.registry import Registry
from connector.simulator import Fault, Simulator
from connector.vendors import names
from tests.command import Ended, Workplace, WorkplaceOf

NOWHERE = "127.0.0.1:1"
COMPACT = {"cleanup.policy": "compact"}
VENDORS = names()
ONCE = ("run", "--until-caught-up", "--timeout", "1", "--log-level", "error")


MISTAKES = """
unknown = 1

[kafka]
bootstrap_server = "localhost:9092"
prefix = "a b"
topic = "{content_type}.changes"
partitions = 0
replication_factor = "three"
registry = { url = "ftp://registry", user = "me" }
client = { "transactional.id" = "x", "sasl.password" = "hunter2", "ssl.ca.location" = [] }
transaction_timeout = 1
topic_config = { "cleanup.policy" = "delete" }

[connections.Blog]
vendor = "contentful"
space = "s"
token = "hunter2"

[connections.shop]
vendor = "contentstack"
environment = "production"
region = "mars"
token = { env = "MISSING" }
api_key = { env = "EMPTY" }

[connections.portal]
vendor = "weeglo"

[connections.wiki]
vendor = "weegloo"
space = "s"
token = { env = "MULTILINE" }
base_url = "http://cms.example.com"
poll_interval = -1
max_delete_share = 2
snapshot_mode = "always"
locales = []

[connections.none]

[connections.file]
vendor = "contentful"
space = "s"
token = { file = "missing.txt" }

[server]
listen = "9464"
"""
PROBLEMS = (
    "unknown: unknown key",
    "kafka.bootstrap_server: unknown key; did you mean bootstrap_servers?",
    "kafka.bootstrap_servers: is required",
    "kafka.prefix: must consist of the characters that Kafka allows",
    "kafka.topic: {content_type} cannot route",
    "kafka.partitions: must be greater than or equal to 1",
    "kafka.replication_factor: must be a valid integer",
    "kafka.registry.url: must be a URL",
    'kafka.client."transactional.id": is not yours to set',
    'kafka.client."sasl.password": a secret is never written into the file',
    'kafka.client."ssl.ca.location": must be a string',
    "kafka.transaction_timeout: must be greater than or equal to 5",
    "kafka.topic_config: cleanup.policy is compact",
    "connections.Blog: a connection's name consists of lower-case letters",
    "connections.Blog.token: a secret is never written into the file",
    "connections.shop.region: must be",
    "connections.shop.token: the environment variable MISSING is not set",
    "connections.shop.api_key: the environment variable EMPTY is empty",
    "connections.portal.vendor: unknown vendor 'weeglo'; known vendors: contentful",
    "connections.wiki.token: the secret must be one line",
    "connections.wiki: base_url would send the token unencrypted",
    "connections.wiki.poll_interval: must be greater than",
    "connections.wiki.max_delete_share: must be less than",
    "connections.wiki.snapshot_mode: must be 'initial'",
    "connections.wiki.locales: must name at least one",
    "connections.none.vendor: is required",
    "connections.file.token: missing.txt cannot be read",
    'server.listen: must be "host:port"',
)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Yield a served simulator."""
    with Simulator(entries=20).serving() as served:
        yield served


def _says(ended: Ended, code: int, *parts: str) -> None:
    """Assert that a command ended with `code`, that a message and its hint hold `parts`, and no traceback shows."""
    shown = ended.err + ended.out
    assert ended.code == code, shown
    for part in parts:
        assert part in shown
    assert "Traceback" not in shown


def test_every_mistake_in_a_configuration_is_reported_at_once(tmp_path: Path) -> None:
    """Each line names the place, the problem and the nearest valid name; nothing is contacted; the exit code is 2."""
    workplace = Workplace(tmp_path, {"EMPTY": "", "MULTILINE": "one\ntwo", "TOKEN": "tok-1-secret"})
    workplace.write(MISTAKES)
    ended = workplace.run("run")
    assert ended.code == 2
    assert ended.err.splitlines()[:2] == [
        f"contentwire: contentwire.toml: {len(PROBLEMS)} problems",
        "  -> correct the file",
    ]
    shown = [line.strip() for line in ended.err.splitlines()[2:]]
    assert [problem for problem in PROBLEMS if not any(problem in line for line in shown)] == []
    assert len(shown) == len(PROBLEMS)
    assert "hunter2" not in ended.err


def test_check_reports_the_same_mistakes(tmp_path: Path) -> None:
    """It lists each problem as a finding, for machines as well, and ends with 2."""
    workplace = Workplace(tmp_path, {"EMPTY": "", "MULTILINE": "one\ntwo", "TOKEN": "tok-1-secret"})
    workplace.write(MISTAKES)
    ended = workplace.run("check", "--json")
    _says(ended, 2, '"verdict": "failed"', "did you mean bootstrap_servers?")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[kafka\n", "contentwire.toml: not valid TOML"),
        ("\xff", "contentwire.toml: not UTF-8 (at line 1)"),
        ("", "2 problems"),
    ],
)
def test_a_file_that_is_not_a_configuration_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """A file that cannot be read ends with 2 and is named."""
    workplace = Workplace(tmp_path, {})
    workplace.path.write_bytes(text.encode("latin-1"))
    _says(workplace.run("run"), 2, message)


def test_an_unknown_connection_is_refused(workplace_of: WorkplaceOf) -> None:
    """A command for a connection that is not configured names those that are."""
    ended = workplace_of().run("tail", "blog")
    _says(ended, 2, "there is no connection 'blog'", "known connections: contentful")


def test_an_unknown_client_setting_is_refused(workplace_of: WorkplaceOf) -> None:
    """A setting unknown to librdkafka is a configuration error, reported before any stream begins."""
    workplace = workplace_of(kafka_lines='client = { "no.such.setting" = 1 }')
    _says(workplace.run(*ONCE), 2, "no.such.setting", "[kafka] client")


def test_a_port_that_is_taken_is_refused(workplace_of: WorkplaceOf) -> None:
    """The operators' port is opened first: a second process on it does not start. A single pass needs no port."""
    workplace = workplace_of()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        workplace.edit(r"\Z", f'[server]\nlisten = "127.0.0.1:{taken.getsockname()[1]}"\n')
        _says(workplace.run("run"), 2, "server.listen: cannot open", "choose another address")
        assert workplace.run("run", "--until-caught-up", "--log-level", "error").code == 0


def test_wrong_credentials_stop_the_stream(workplace_of: WorkplaceOf) -> None:
    """Each vendor's refusal is reported with its next step, without the tokens, and the exit code is 1."""
    workplace = workplace_of(*VENDORS)
    workplace.environ = dict.fromkeys(workplace.environ, "wrong-token-9")
    with workplace.start("check") as check:
        ran = workplace.run(*ONCE)
        checked = check.ends()
    for ended in (ran, checked):
        _says(ended, 1, *(name for name in VENDORS), "401", "check")
        assert "wrong-token-9" not in ended.err + ended.out


def test_a_wrong_scope_stops_the_stream(workplace_of: WorkplaceOf) -> None:
    """A space that does not exist for this token is named; the other streams continue."""
    workplace = workplace_of("contentful", "weegloo")
    workplace.edit('space = "cf.*"', 'space = "elsewhere"')
    _says(workplace.run(*ONCE), 1, "contentful: ", "404", "elsewhere")
    status = workplace.run("status", "--json")
    assert status.code == 1
    streams = json.loads(status.out)
    phases = {each["connection"]: each["checkpoint"]["phase"] for each in streams if each["checkpoint"]}
    assert phases == {"weegloo": "streaming"}


def test_an_unreachable_cms_ends_with_3(workplace_of: WorkplaceOf) -> None:
    """A pass waits as long as --timeout says, then names the host that did not answer."""
    workplace = workplace_of(*VENDORS)
    workplace.edit(r'base_url = ".*"', f'base_url = "http://{NOWHERE}"')
    with workplace.start("check") as check:
        _says(workplace.run(*ONCE), 3, "127.0.0.1", "Connection refused", "check base_url")
        _says(check.ends(), 3, "Connection refused", "check base_url")


def test_a_cms_that_only_fails_ends_with_3(workplace_of: WorkplaceOf, simulator: Simulator) -> None:
    """Server errors are waited out until --timeout, then reported."""
    simulator.push_fault("contentful", Fault("status", times=None, on="any"))
    _says(workplace_of().run(*ONCE), 3, "contentful: ", "503")


def test_an_unreachable_broker_ends_every_command_with_3(workplace_of: WorkplaceOf) -> None:
    """Whatever needs Kafka says that it does not answer, at which address, and what to check."""
    workplace = workplace_of()
    workplace.edit("bootstrap_servers = .*", f'bootstrap_servers = "{NOWHERE}"')
    commands = [
        ONCE,
        ("check",),
        ("status",),
        ("tail", "contentful"),
        ("pause", "contentful"),
        ("dead-letters", "contentful"),
        ("checkpoints", "show", "contentful"),
    ]
    with ExitStack() as stack:
        running = [stack.enter_context(workplace.start(*command)) for command in commands]
        for each in running:
            _says(each.ends(), 3, f"{NOWHERE}/bootstrap", "Connection refused", "check [kafka] bootstrap_servers")


def test_an_unreachable_registry_ends_with_3(workplace_of: WorkplaceOf) -> None:
    """A stream waits for its registry until --timeout; other commands report it at once."""
    workplace = workplace_of(kafka_lines=f'registry = {{ url = "http://{NOWHERE}" }}')
    with workplace.start("check") as check, workplace.start("schemas", "check") as schemas:
        _says(workplace.run(*ONCE), 3, f"registry at http://{NOWHERE} did not answer", "check [kafka] registry")
        _says(check.ends(), 3, "did not answer")
        _says(schemas.ends(), 3, "did not answer")


def test_a_registry_url_without_its_path_is_reported(workplace_of: WorkplaceOf, registry: str) -> None:
    """A server without a registry at this path is a mistake, not an outage."""
    workplace = workplace_of(kafka_lines=f'registry = {{ url = "{registry}/elsewhere" }}')
    _says(workplace.run("check"), 1, "answered HTTP 404", "Confluent API's base URL")


def test_no_registry_has_no_schemas(workplace_of: WorkplaceOf) -> None:
    """`schemas` without a registry says that there is nothing to manage, and how to add one."""
    _says(workplace_of().run("schemas", "check"), 2, "[kafka] registry is not configured")


def test_an_incompatible_schema_is_reported(workplace_of: WorkplaceOf, registry: str, prefix: str) -> None:
    """A subject under which something else has registered stops the stream, fails the check, and is named."""
    subject = f"{prefix}.contentful.changes-value"
    Registry(registry).register(subject, codec.text("dead_letter"))
    workplace = workplace_of(kafka_lines=f'registry = {{ url = "{registry}" }}')
    with workplace.start("check") as check, workplace.start("schemas", "check") as schemas:
        _says(workplace.run(*ONCE), 1, "incompatible", subject)
        _says(check.ends(), 1, "incompatible schemas under", subject)
        _says(schemas.ends(), 1, "incompatible schemas under", subject)


@pytest.mark.parametrize(
    ("topic", "partitions", "settings", "parts"),
    [
        ("changes", 3, {"cleanup.policy": "delete"}, ("has cleanup.policy = delete, not compact", "--alter")),
        ("changes", 3, COMPACT | {"max.message.bytes": "1000"}, ("has max.message.bytes = 1000, below", "raise it to")),
        ("state", 2, COMPACT, ("has 2 partitions, not 1", "recreate it")),
    ],
)
def test_an_incompatible_topic_is_reported(
    workplace_of: WorkplaceOf,
    kafka: Broker,
    *,
    topic: str,
    partitions: int,
    settings: dict[str, str],
    parts: tuple[str, ...],
) -> None:
    """A topic that breaks the message contract stops the stream before anything is written to it."""
    workplace = workplace_of()
    name = f"{workplace.prefix}.contentful.{topic}"
    _create(kafka, name, partitions, settings)
    with workplace.start("check") as check:
        _says(workplace.run(*ONCE), 1, name, *parts)
        _says(check.ends(), 1, name, *parts)


def test_a_changed_partition_count_is_reported(workplace_of: WorkplaceOf, kafka: Broker, prefix: str) -> None:
    """More partitions would move keys: the recorded count is compared, and the remedy is named."""
    workplace = workplace_of()
    assert workplace.run(*ONCE).code == 0
    name = f"{prefix}.contentful.changes"
    admin = AdminClient(dict(kafka.client))  # must outlive the answer
    admin.create_partitions([NewPartitions(name, 7)])[name].result(10)
    for command in (ONCE, ("check",)):
        _says(
            workplace.run(*command), 1, f"topic {name} has 7 partitions, not 6: keys would move", "under another prefix"
        )


def test_a_filter_that_loses_deletes_is_a_warning(workplace_of: WorkplaceOf) -> None:
    """`check` says what an `api_filter` withholds; that fails nothing."""
    workplace = workplace_of()
    workplace.edit(r"\Z", 'api_filter = { type = "Entry" }\n')
    _says(workplace.run("check"), 0, "warning", "no delete or unpublish of anything")


def test_a_changed_filter_is_announced(workplace_of: WorkplaceOf) -> None:
    """`check` says beforehand that the next run will take a new snapshot."""
    workplace = workplace_of()
    assert workplace.run(*ONCE).code == 0
    workplace.edit(r"\Z", 'content_types = ["blogPost"]\n')
    _says(workplace.run("check"), 0, "warning", "the next run takes a new snapshot")


def _create(kafka: Broker, name: str, partitions: int, settings: dict[str, str]) -> None:
    """Create a topic as someone else might have."""
    admin = AdminClient(dict(kafka.client))  # must outlive the answer
    admin.create_topics([NewTopic(name, partitions, 1, config=settings)])[name].result(10)
