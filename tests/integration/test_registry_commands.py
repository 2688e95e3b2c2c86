"""Commands against a registry that is read-only, wiped, or another one: the real command and broker."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connector.devservers.apicurio import Apicurio
from connector.events import codec
from connector.kafka.registry import Registry
from connector.simulator import Simulator
from tests.command import Workplace, WorkplaceOf
from tests.schemaregistry import ScriptedRegistry

ONCE = ("run", "--until-caught-up", "--timeout", "2", "--log-level", "error")
CASE = Path(__file__).parents[1] / "cases" / "08-registry-read-only" / "exchanges.json"
REFUSALS = [each for each in json.loads(CASE.read_text(encoding="utf-8")) if each["status"] >= 400]

Place = Callable[..., Workplace]


@pytest.fixture
def place(workplace_of: WorkplaceOf) -> Place:
    """Return a workplace with a registry."""
    return lambda url, more="": workplace_of(kafka_lines=f'registry = {{ url = "{url}"{more} }}')


@pytest.fixture
def scripted() -> Iterator[ScriptedRegistry]:
    """Yield a registry that can be wiped."""
    with ScriptedRegistry().serving() as serving:
        yield serving


def findings(workplace: Workplace) -> dict[str, dict[str, Any]]:
    """Return the findings of `check`, by subject."""
    return {each["subject"]: each for each in json.loads(workplace.run("check", "--json").out)}


@pytest.mark.parametrize("refusal", REFUSALS, ids=[str(each["status"]) for each in REFUSALS])
def test_08_a_registry_that_may_only_be_read(place: Place, scripted: ScriptedRegistry, refusal: dict[str, Any]) -> None:
    """Case 08: `check` warns, a run shows the registry's words, and an administrator's registration is enough."""
    scripted.refusal = refusal["status"], refusal["body"]
    workplace = place(scripted.url)
    finding = findings(workplace)["contentful: schemas"]
    assert finding["verdict"] == "warning"
    assert "whether this account may" in finding["message"]
    refused = workplace.run(*ONCE)
    assert refused.code == 1
    assert refusal["body"]["message"] in refused.err
    assert "contentwire schemas register" in refused.err
    scripted.refusal = None
    assert workplace.run("schemas", "register").code == 0
    scripted.refusal = refusal["status"], refusal["body"]
    scripted.registered()
    finding = findings(workplace)["contentful: schemas"]
    assert finding["verdict"] == "ok"
    assert "3 of 3 are registered" in finding["message"]
    assert workplace.run(*ONCE).code == 0
    assert scripted.registered() == []


def test_an_account_that_may_not_register_uses_what_an_administrator_did(
    place: Place, registry: str, prefix: str
) -> None:
    """On the real registry: missing schemas are named and stay missing; registered ones are used, however written."""
    readers = place(registry, ", register = false")
    topic = f"{prefix}.contentful.changes"
    finding = findings(readers)["contentful: schemas"]
    assert finding["verdict"] == "failed"
    assert f"{topic}-key" in finding["message"]
    refused = readers.run(*ONCE)
    assert refused.code == 1
    assert "register = false" in refused.err
    assert "contentwire schemas register" in refused.err
    at = Registry(registry)
    assert not [name for name in at.subjects() if name.startswith(prefix)]
    # Formatted as other tools do.
    spaced = json.dumps(json.loads(codec.text("envelope")), indent=4)
    number = at.register(f"{topic}-value", spaced)
    readers.edit(", register = false", "")
    assert readers.run("schemas", "register").code == 0
    readers.edit(r"registry = \{ (.*) \}", r"registry = { \1, register = false }")
    assert findings(readers)["contentful: schemas"]["verdict"] == "ok"
    assert readers.run(*ONCE).code == 0
    entry = readers.lines("tail", "contentful", "--from-beginning", "--until-end", "--json")[0]
    assert entry["value"]["op"] == "r"
    assert at.find(f"{topic}-value", codec.text("envelope")) == number


def test_commands_against_another_registry_register_nothing(
    place: Place, simulator: Simulator, registry: str, prefix: str
) -> None:
    """Two real registries, the second without the first's schemas: each command reports it, and leaves it empty."""
    workplace = place(registry)
    assert workplace.run(*ONCE).code == 0
    assert findings(workplace)["contentful: keys"]["verdict"] == "ok"
    simulator.edit(simulator.ids()[0])
    with Apicurio() as another:
        workplace.edit(registry, another.url)
        finding = findings(workplace)["contentful: keys"]
        assert finding["verdict"] == "failed"
        assert "the schema registry has nothing under the id" in finding["message"]
        for command in (ONCE, ("schemas", "register"), ("schemas", "check")):
            ended = workplace.run(*command)
            assert ended.code == 3, ended
            assert "nothing under the id" in ended.err
            assert "restore it" in ended.err
        assert httpx.get(f"{another.url}/subjects", trust_env=False).json() == []
        workplace.edit(another.url, registry)
    assert workplace.run(*ONCE).code == 0
    entries = workplace.lines("tail", "contentful", "--from-beginning", "--until-end", "--json")
    assert "u" in {each["value"]["op"] for each in entries}


def test_check_finds_a_registry_that_came_later(place: Place, registry: str) -> None:
    """The framing of keys is permanent: the command reports what the run would stop at."""
    workplace = place(registry)
    workplace.edit(r"registry = \{.*\}", "")
    assert workplace.run(*ONCE).code == 0
    workplace.edit(r"\[kafka\]", f'[kafka]\nregistry = {{ url = "{registry}" }}')
    finding = findings(workplace)["contentful: keys"]
    assert finding["verdict"] == "failed"
    assert "were written as single-object" in finding["message"]
