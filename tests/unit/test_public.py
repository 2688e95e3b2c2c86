"""What a public project shows to strangers and to machines: workflows, forms, addresses, version, types."""

import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector import __version__

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
YAML = sorted([*GITHUB.rglob("*.yml"), ROOT / ".pre-commit-config.yaml", ROOT / "docker-compose.yml"])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [name.split(" :: ")[-1] for name in PROJECT["classifiers"] if re.search(r":: \d+\.\d+$", name)]


def parsed(path: Path) -> Any:
    """Return what a YAML file says."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def jobs(workflow: Path) -> dict[str, dict[str, Any]]:
    """Return the jobs of a workflow by name."""
    found: dict[str, dict[str, Any]] = parsed(workflow)["jobs"]
    return found


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    """Yield every step of a workflow."""
    for job in jobs(workflow).values():
        yield from job.get("steps", [])


@pytest.mark.parametrize("path", YAML, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_yaml_file_parses(path: Path) -> None:
    """Workflows, forms and settings that others' machines read are YAML with something in it."""
    assert isinstance(parsed(path), dict)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned(workflow: Path) -> None:
    """What an action does is decided by a commit, with the version beside it for people; ours is the checkout's."""
    uses = re.findall(r"(?m)^ *(?:- )?uses: (.+)$", workflow.read_text(encoding="utf-8"))
    foreign = [use for use in uses if not use.startswith("./")]
    assert foreign
    assert [use for use in foreign if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)] == []


def test_an_action_has_one_version() -> None:
    """All workflows use the same commit of an action."""
    uses = {use for workflow in WORKFLOWS for step in steps(workflow) if (use := step.get("uses"))}
    names = [use.partition("@")[0] for use in uses]
    assert sorted(names) == sorted(set(names))


def test_workflows_run_what_is_there() -> None:
    """Each `make` target and each script of the repository that a workflow runs exists."""
    commands = "\n".join(step.get("run", "") for workflow in WORKFLOWS for step in steps(workflow))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    called = set(re.findall(r"\bmake ([a-z-]+)", commands))
    assert called >= {"check", "test", "test-unit", "wheel", "faults", "soak", "bench"}
    assert called - targets == set()
    scripts = re.findall(r"(?m)^(\.ci/\S+)", commands)
    assert scripts
    assert [script for script in scripts if not (ROOT / script).exists()] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_rights_are_given_job_by_job(workflow: Path) -> None:
    """A workflow has no rights, each job names its own, and no checkout leaves a token behind."""
    assert parsed(workflow)["permissions"] == {}
    assert [name for name, job in jobs(workflow).items() if "permissions" not in job] == []
    checkouts = [step for step in steps(workflow) if step.get("uses", "").startswith("actions/checkout@")]
    assert [step for step in checkouts if step["with"]["persist-credentials"] is not False] == []


def test_a_push_publishes_nothing() -> None:
    """Only a tag starts a workflow that may write, its jobs ask the repository, and what publishes a reviewer too."""
    for workflow in WORKFLOWS:
        writing = {name for name, job in jobs(workflow).items() if "write" in job["permissions"].values()}
        assert bool(writing) == (workflow.stem == "release"), workflow.name
    release = jobs(GITHUB / "workflows" / "release.yml")
    # YAML 1.1 reads the key `on` as true.
    assert parsed(GITHUB / "workflows" / "release.yml")[True] == {"push": {"tags": ["v*"]}}
    assert {name for name, job in release.items() if job.get("if") == "vars.PUBLISH == 'yes'"} == {
        "attest",
        "wheel",
        "image",
    }
    assert {name for name, job in release.items() if job.get("environment") == "release"} == {"wheel", "image"}


def test_every_promised_python_is_tested() -> None:
    """The classifiers, the matrix of the unit tests and the oldest supported version say the same."""
    matrix = jobs(GITHUB / "workflows" / "ci.yml")["unit"]["strategy"]["matrix"]["python"]
    assert matrix == PYTHONS
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"


def test_the_version_stands_in_one_place() -> None:
    """`connector/__init__.py` alone states it; the package's metadata are built from there."""
    assert PROJECT["dynamic"] == ["version"]
    files = [*(ROOT / "connector").rglob("*.py"), *YAML, *(ROOT / name for name in ("pyproject.toml", "Dockerfile"))]
    stating = [path for path in files if re.search(rf"[\"' :]v?{re.escape(__version__)}\b", path.read_text("utf-8"))]
    assert stating == [ROOT / "connector" / "__init__.py"]
    own = re.search(r'name = "contentwire"\n(.*\n)', (ROOT / "uv.lock").read_text(encoding="utf-8"))
    assert own
    assert "version" not in own[1]


def test_users_get_the_types() -> None:
    """The marker of a typed package lies in the package, and nothing keeps it out of the wheel (`make wheel` looks)."""
    assert resources.files("connector").joinpath("py.typed").is_file()
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = whole["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["connector"]
    assert wheel.keys() <= {"packages", "force-include"}


def test_the_project_has_one_address() -> None:
    """Every address of the project, wherever it stands, is below the one in `[project.urls]`."""
    home = PROJECT["urls"]["Source"]
    places = [*GITHUB.rglob("*.*"), *ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "pyproject.toml"]
    named = {
        (path.name, address)
        for path in places
        for address in re.findall(r"https://github\.com/[\w.-]+/contentwire", path.read_text(encoding="utf-8"))
    }
    assert {place for place, _ in named} >= {"pyproject.toml", "config.yml", "SECURITY.md"}
    assert {address for _, address in named} == {home}


def test_the_bug_form_asks_for_what_is_needed() -> None:
    """Nobody can send a bug without what `check` says, the log line and the version."""
    body = parsed(GITHUB / "ISSUE_TEMPLATE" / "bug.yml")["body"]
    required = {field["id"] for field in body if field.get("validations", {}).get("required")}
    assert required == {"happened", "check", "log", "version", "surroundings"}
    labels = {field["id"]: field["attributes"]["label"] for field in body if "id" in field}
    assert "`contentwire check --json`" in labels["check"]


def test_the_image_is_given_what_it_copies() -> None:
    """`.dockerignore` leaves everything out but what it names."""
    copied = re.findall(r"(?m)^COPY (?!--)(.+) \S+$", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "*"
    let_through = {line[1:] for line in lines if line.startswith("!")}
    assert {name for line in copied for name in line.split()} <= let_through
