"""What the documents say exists: links, settings, commands, metrics, errors, tests, the loop."""

import ast
import inspect
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest

from connector import errors
from connector.cli import cli
from connector.config.load import load
from connector.events.record import Batch
from connector.model.page import Frame, SyncPage
from connector.service.metrics import Metrics
from connector.simulator import Simulator
from connector.simulator.fault import FaultKind
from connector.stream.runner import Runner

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
KAFKA = '[kafka]\nbootstrap_servers = "localhost:9092"\n'
CONNECTION = '[connections.any]\nvendor = "weegloo"\nspace = "s"\ntoken = { env = "T" }\n'


def text(path: Path) -> str:
    """Return a document's text."""
    return path.read_text(encoding="utf-8")


def everything() -> str:
    """Return all documents as one text."""
    return "\n".join(map(text, DOCUMENTS))


def blocks(document: str) -> Iterator[str]:
    """Yield the code blocks of a document, fenced or indented."""
    yield from re.findall(r"^```[a-z]*\n(.*?)^```", document, re.DOTALL | re.MULTILINE)
    for block in re.findall(
        r"(?:^    .*\n(?:\n(?=    ))?)+", re.sub(r"```.*?```", "", document, flags=re.DOTALL), re.MULTILINE
    ):
        yield textwrap.dedent(block)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(document: Path) -> None:
    """Each link to a file or folder of the repository resolves."""
    links = re.findall(r"\]\(([^)\s]+)\)", text(document))
    local = [link.partition("#")[0] for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in local if link and not (document.parent / link).exists()] == []


def configurations() -> Iterator[tuple[str, str]]:
    """Yield every piece of configuration in the documents and examples, with where it stands."""
    for document in DOCUMENTS:
        for block in blocks(text(document)):
            if re.match(r"\[(kafka|connections|server)\b", block):
                yield document.name, block
    for path in ROOT.glob("examples/**/*.toml"):
        yield path.name, text(path)


@pytest.mark.parametrize(("place", "block"), list(configurations()), ids=lambda part: part[:30].split("\n")[0])
def test_every_configuration_loads(place: str, block: str, tmp_path: Path) -> None:
    """Each block of TOML is accepted, completed by what it leaves out."""
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    block = re.sub(r'file = "[^"]+"', f'file = "{secret}"', block)
    complete = block + ("" if "[kafka]" in block else KAFKA) + ("" if "[connections" in block else CONNECTION)
    path = tmp_path / "contentwire.toml"
    path.write_text(complete)
    variables = dict.fromkeys(["T", *re.findall(r'env = "(\w+)"', block)], "s3cret")
    assert load(path, variables).connections, place


def test_the_readme_shows_the_loop_as_it_is() -> None:
    """The loop in the README is the code, to the letter."""
    assert textwrap.dedent(inspect.getsource(Runner.pass_once)) in text(ROOT / "README.md")


def commands(group: click.Group = cli, before: str = "") -> Iterator[str]:
    """Yield the name of every command, with its group."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}"


def test_the_readme_lists_every_command() -> None:
    """The table of commands is complete, and names nothing else."""
    table = re.search(r"\| command \|.*?\n\n", text(ROOT / "README.md"), re.DOTALL)
    assert table
    named = {re.sub(r" [A-Z].*", "", each) for row in table[0].splitlines()[2:] if row for each in _first_cell(row)}
    assert named == set(commands())


def _first_cell(row: str) -> list[str]:
    return re.findall(r"`([^`]+)`", row.split("|")[1])


def command_lines() -> set[str]:
    """Return each call of contentwire in a code block or in inline code."""
    found = set()
    for document in DOCUMENTS:
        lines = [line for block in blocks(text(document)) for line in block.splitlines()]
        lines += re.findall(r"`(contentwire [^`]+)`", text(document))
        for line in lines:
            calls = re.split(r"[;|>#]", line)
            found |= {call.strip() for call in calls if re.match(r"contentwire [a-z]", call.strip())}
    return found


@pytest.mark.parametrize("line", sorted(command_lines()))
def test_every_command_line_is_understood(line: str) -> None:
    """Commands, options and arguments in the documents are what the command line takes."""
    words = ["-" if word.endswith(".json") else word for word in shlex.split(line)[1:]]
    command: click.Command = cli
    context: click.Context | None = None
    while isinstance(command, click.Group) and words:
        context = click.Context(command, parent=context)
        name, found, words = command.resolve_command(context, words)
        assert found, name
        command = found
    if any(argument.required and not words for argument in command.params if isinstance(argument, click.Argument)):
        words = ["NAME"]  # a command that is only spoken of
    if not isinstance(command, click.Group):
        command.make_context(command.name, words, parent=context)


def test_the_simulators_page_names_every_fault() -> None:
    """Each kind of fault is named, and each method that the page calls is there."""
    page = (ROOT / "docs" / "simulator.md").read_text()
    assert [kind for kind in get_args(FaultKind) if f"`{kind}`" not in page] == []
    assert set(re.findall(r"_admin/([a-z_]+)", page)) <= set(dir(Simulator))


def test_every_metric_exists() -> None:
    """Each metric's name in the documents is one that is exported."""
    families = [family.name for family in Metrics().registry.collect()]
    kinds = {family.name: family.type for family in Metrics().registry.collect()}
    exported = {f"{name}_total" if kinds[name] == "counter" else name for name in families}
    assert set(re.findall(r"\bcontentwire_[a-z_]+\b", everything())) - exported - {"contentwire_reference"} == set()


def tree(error: type[errors.ConnectorError]) -> Iterator[str]:
    """Yield the names of an error class and of all that extend it."""
    yield error.__name__
    for further in error.__subclasses__():
        yield from tree(further)


def test_every_error_is_explained() -> None:
    """Operators find each named error with what to do about it, and none that does not exist."""
    rows = re.findall(r"^\| `([A-Z][A-Za-z]+)` \|", text(ROOT / "docs" / "operations.md"), re.MULTILINE)
    assert sorted(rows) == sorted(name for name in set(tree(errors.ConnectorError)) if not name.startswith("_"))


def test_every_guarantee_names_a_test() -> None:
    """Each test that a promise rests on exists where the document says."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text(ROOT / "docs" / "guarantees.md"))
    missing = [f"{path}::{name}" for path, name in named if name not in _tests(ROOT / path)]
    assert named
    assert missing == []


def _tests(path: Path) -> set[str]:
    if not path.exists():
        return set()
    return {node.name for node in ast.walk(ast.parse(text(path))) if isinstance(node, ast.FunctionDef)}


def shell_blocks(document: Path) -> list[str]:
    """Return the commands of a guide that its readers copy."""
    return re.findall(r"^```sh\n(.*?)^```", text(document), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    "guide",
    [each for each in DOCUMENTS if each.parent.name in ("consumers", "examples") and shell_blocks(each)],
    ids=lambda path: path.name,
)
def test_every_command_of_a_guide_is_run(guide: Path) -> None:
    """A test of the examples or the sinks names each block of commands by a text that no other block has."""
    name = guide.relative_to(ROOT).as_posix()
    patterns = ("tests/integration/test_examples*.py", "tests/sinks/test_*.py")
    tests = [text(path) for pattern in patterns for path in ROOT.glob(pattern)]
    trees = [ast.parse(each) for each in tests if f'"{name}"' in each]
    constants = [node.value for each in trees for node in ast.walk(each) if isinstance(node, ast.Constant)]
    named = [each for each in constants if isinstance(each, str) and len(each) > 3]
    blocks = shell_blocks(guide)
    alone = {where[0] for each in named if len(where := [block for block in blocks if each in block]) == 1}
    assert [block for block in blocks if block not in alone] == []


def test_every_make_target_exists() -> None:
    """`make` commands in the documents are targets of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", text(ROOT / "Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^    )make ([a-z-]+)", everything(), re.MULTILINE))
    assert named
    assert named - targets == set()


def test_every_decision_is_listed() -> None:
    """The index of decisions is complete."""
    folder = ROOT / "docs" / "adr"
    records = {path.name for path in folder.glob("0*.md")}
    assert set(re.findall(r"\((0[^)]+)\)", text(folder / "README.md"))) == records


def test_the_picture_shows_what_is_there() -> None:
    """The picture of the wire names rooms and values of the code, in light and in dark, and the README shows it."""
    picture = text(ROOT / "docs" / "wire.svg")
    rooms = re.findall(r"\b([a-z]+)/<", picture)
    assert rooms
    assert [room for room in rooms if not (ROOT / "connector" / room).is_dir()] == []
    values = re.findall(r'<text class="code"[^>]*>([A-Z]\w+)<', picture)
    assert values == [Frame.__name__, SyncPage.__name__, Batch.__name__]
    light, dark = (set(re.findall(r"(--\w+): #", part)) for part in picture.split("prefers-color-scheme: dark"))
    assert light == dark == set(re.findall(r"var\((--\w+)\)", picture))
    assert "](docs/wire.svg)" in text(ROOT / "README.md")
