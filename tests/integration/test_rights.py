"""Kafka with an authorizer: the documented rights are enough for everything, and `check` names those missing."""

import json
import re
import shlex
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from connector.devservers.broker import Kafka
from tests.cms import eventually
from tests.command import Ended, Workplace
from tests.scripted import ITEM, ONCE, Place, case, placing, served

pytestmark = pytest.mark.kafka  # a separate broker

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    # The listener between brokers: nobody has to log in there.
    "super.users": "User:ANONYMOUS",
    "transaction.max.timeout.ms": "60000",
}
POST = {
    "sys": {"id": "post", "type": "ContentType", "revision": 1},
    "name": "Post",
    "fields": [{"id": "t", "name": "t", "type": "Symbol", "localized": True}],
}
ALL = ("blog", "--from-beginning", "--until-end", "--json")
RESOURCES = {
    "--topic": ResourceType.TOPIC,
    "--transactional-id": ResourceType.TRANSACTIONAL_ID,
    "--group": ResourceType.GROUP,
}


class Right(NamedTuple):
    """What an ACL grants to the tests' account."""

    kind: ResourceType
    name: str
    pattern: ResourcePatternType
    operation: AclOperation

    @property
    def who(self) -> tuple[str, str, AclOperation, AclPermissionType]:
        """The part of an ACL after the resource."""
        return ("User:contentwire", "*", self.operation, AclPermissionType.ALLOW)


@pytest.fixture(scope="module")
def secured() -> Iterator[Kafka]:
    """Yield a broker with TLS, SASL and an authorizer, which has granted nothing yet."""
    with Kafka(secure=True, properties=AUTHORIZER) as kafka:
        yield kafka


@pytest.fixture
def administrator(secured: Kafka) -> Iterator[AdminClient]:
    """Yield a client that may do everything; the rights it grants are withdrawn at the end."""
    client = AdminClient({"bootstrap.servers": f"127.0.0.1:{secured._nodes[1].internal}"})
    yield client
    whoever: Any = None
    every = (ResourcePatternType.ANY, whoever, whoever, AclOperation.ANY, AclPermissionType.ANY)
    for future in client.delete_acls([AclBindingFilter(ResourceType.ANY, whoever, *every)]).values():
        future.result(20)


@pytest.fixture
def place(tmp_path: Path, secured: Kafka, prefix: str) -> Place:
    """Return a maker of workplaces whose account has to log in."""
    settings = {name: json.dumps(value) for name, value in secured.client.items() if name != "bootstrap.servers"}
    settings["sasl.password"] = '{ env = "KAFKA_PASSWORD" }'
    pairs = ", ".join(f'"{name}" = {value}' for name, value in settings.items())
    client = f"client = {{ {pairs} }}"
    make = placing(tmp_path, secured.bootstrap, prefix)

    def placed(cms: object, *lines: str, tables: str = "", **others: str) -> Workplace:
        workplace = make(cms, *lines, tables=f"{client}\n{tables}", **others)  # type: ignore[arg-type]  # forwarded
        workplace.environ["KAFKA_PASSWORD"] = secured._security.password if secured._security else ""
        return workplace

    return placed


def documented(prefix: str) -> list[Right]:
    """Return the rights that docs/operations.md says to grant, for a prefix."""
    commands = re.findall(r"^ +(kafka-acls --add .*)$", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)
    found = []
    for command in commands:
        words = shlex.split(command.replace("contentwire.", f"{prefix}."))
        options = dict(zip(words[2::2], words[3::2], strict=True))
        assert options["--allow-principal"] == "User:contentwire"
        (kind,) = options.keys() & RESOURCES.keys()
        pattern = ResourcePatternType[options.get("--resource-pattern-type", "literal").upper()]
        for name in (words[at + 1] for at, word in enumerate(words) if word == "--operation"):
            operation = AclOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()]
            found.append(Right(RESOURCES[kind], options[kind], pattern, operation))
    return found


def grant(administrator: AdminClient, *rights: Right) -> None:
    """Grant rights."""
    bindings = [AclBinding(right.kind, right.name, right.pattern, *right.who) for right in rights]
    for future in administrator.create_acls(bindings).values():
        future.result(20)


def withdraw(administrator: AdminClient, right: Right) -> None:
    """Revoke one right."""
    which = AclBindingFilter(right.kind, right.name, right.pattern, *right.who)
    (future,) = administrator.delete_acls([which]).values()
    assert len(future.result(20)) == 1


def test_the_documented_rights_are_enough_for_every_command(
    place: Place, administrator: AdminClient, prefix: str
) -> None:
    """Everything works with exactly these: a run, its successor, every command beside it."""
    grant(administrator, *documented(prefix))
    with served(case(ITEM)) as cms:
        workplace = place(cms)
        eventually(lambda: workplace.run("check").code == 0, within=30)
        assert f"may create {prefix}.blog.state" in workplace.run("check").out
        assert prefix not in "".join(administrator.list_topics(timeout=10).topics)
        assert workplace.run(*ONCE).code == 0
        for command in (("check",), ("status",), ("verify", "blog"), ("dead-letters", "blog"), ("pause", "blog")):
            assert workplace.run(*command).code == 0, command
        assert len(workplace.lines("tail", *ALL)) == 1
        with workplace.start("run") as run:
            eventually(lambda: "transactional id is in use" in workplace.run("check").out, within=60)
            assert workplace.run("resume", "blog", "--timeout", "30").code == 0
            assert workplace.run("snapshot", "blog", "--all").code == 0
            eventually(lambda: len(workplace.lines("tail", *ALL)) == 2, within=60)
            run.ends(signal.SIGTERM)


def test_check_names_each_right_that_is_missing(place: Place, administrator: AdminClient, prefix: str) -> None:
    """Whichever is revoked, before the first run or after it, on a topic, the group or the transactional id."""
    rights = documented(prefix)
    with served(case(ITEM)) as cms:
        workplace = place(cms)
        ended = workplace.run("check")
        assert ended.code == 1
        for name in ("blog.state", "blog.changes", "blog.dead-letters", "wake-ups"):
            assert f"DESCRIBE on topic {prefix}.{name}" in ended.out
        assert f"READ on group {prefix}.connectors" in ended.out
        grant(administrator, *rights)
        eventually(lambda: workplace.run("check").code == 0, within=30)
        (create,) = [each for each in rights if each.operation is AclOperation.CREATE]
        withdraw(administrator, create)
        _tells(workplace, f"CREATE on topic {prefix}.blog.state")
        grant(administrator, create)
        assert workplace.run(*ONCE).code == 0
        implied = (AclOperation.CREATE, AclOperation.DESCRIBE)  # no longer needed, and implied by WRITE
        for right in (each for each in rights if each.operation not in implied):
            withdraw(administrator, right)
            if right.kind is ResourceType.TRANSACTIONAL_ID:
                _tells(workplace, f"DESCRIBE or WRITE on transactional id {prefix}.blog")
            else:
                _tells(workplace, f"{right.operation.name} on {right.kind.name.lower()} {prefix}.")
            grant(administrator, right)
        eventually(lambda: workplace.run("check").code == 0, within=30)


def test_a_right_missing_on_a_tables_topic_is_named(
    place: Place, administrator: AdminClient, prefix: str, registry: str
) -> None:
    """If topics are granted one by one: those that every connection has, and those of each type that is recorded."""
    topics = [right for right in documented(prefix) if right.kind is ResourceType.TOPIC]
    others = [right for right in documented(prefix) if right.kind is not ResourceType.TOPIC]
    literal = ResourcePatternType.LITERAL
    known = ("wake-ups", "blog.state", "blog.changes", "blog.dead-letters")
    grant(administrator, *others)
    grant(
        administrator, *(each._replace(name=f"{prefix}.{name}", pattern=literal) for each in topics for name in known)
    )
    with served(case(ITEM)) as cms:
        workplace = place(cms, "tables = true", tables=f'registry = {{ url = "{registry}" }}')
        for table in ("_asset", "_content_type", "_locale"):
            _tells(workplace, f"DESCRIBE on topic {prefix}.blog.table.{table}")
        grant(administrator, *topics)
        eventually(lambda: workplace.run("check").code == 0, within=30)
        cms.content_types = [POST]
        assert workplace.run(*ONCE).code == 0
        for right in topics:
            withdraw(administrator, right)
        _tells(workplace, f"WRITE on topic {prefix}.blog.table.post")


def test_a_transaction_timeout_above_the_brokers_is_found(
    place: Place, administrator: AdminClient, prefix: str
) -> None:
    """`check` reports what `run` would, and which two settings have to match."""
    grant(administrator, *documented(prefix))
    with served(case(ITEM)) as cms:
        workplace = place(cms, tables="transaction_timeout = 61")
        eventually(lambda: "INVALID_TRANSACTION_TIMEOUT" in workplace.run("check").out, within=30)
        ended = workplace.run("check")
        assert ended.code == 1
        assert "transaction.max.timeout.ms" in ended.out


def test_wrong_credentials_for_kafka_are_reported(place: Place) -> None:
    """The broker's own words say that it refuses them; that is not an outage, so the exit code is 1."""
    with served(case(ITEM)) as cms, ExitStack() as stack:
        workplace = place(cms)
        workplace.environ["KAFKA_PASSWORD"] = "wrong-password-9"
        check = stack.enter_context(workplace.start("check"))
        for ended in (workplace.run(*ONCE, "--timeout", "1"), check.ends()):
            assert ended.code == 1, ended
            assert "SASL authentication error" in _said(ended)
            assert "[kafka] client" in _said(ended)
            assert "wrong-password-9" not in _said(ended)


def _tells(workplace: Workplace, text: str) -> None:
    """Wait until `check` names something missing: an authorizer learns of a change within moments."""
    eventually(lambda: text in workplace.run("check").out, within=30)
    assert workplace.run("check").code == 1


def _said(ended: Ended) -> str:
    return ended.out + ended.err
