"""What tests of inputs from the field start with: the case files, and a workplace that follows a scripted space."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tests.command import Workplace
from tests.scriptedcms import ScriptedCms

CASES = Path(__file__).parent / "cases"
ONCE = ("run", "--until-caught-up", "--log-level", "error")
ITEM = "04-changed-under-the-same-version/initial-1.json"


class Place(Protocol):
    """Makes a workplace."""

    def __call__(self, cms: ScriptedCms, *lines: str, token: str = '{ env = "T" }', tables: str = "") -> Workplace:
        """Return a workplace that follows a scripted space as `blog`, with extra lines in both tables."""
        ...


def case(name: str) -> Any:
    """Return the JSON of a case's file."""
    return json.loads((CASES / name).read_text(encoding="utf-8"))


@contextmanager
def served(items: list[Any]) -> Iterator[ScriptedCms]:
    """Serve a space with these items."""
    with ScriptedCms(items).serving() as cms:
        yield cms


def placing(folder: Path, bootstrap: str, prefix: str) -> Place:
    """Return a function that makes a workplace in a folder."""

    def make(cms: ScriptedCms, *lines: str, token: str = '{ env = "T" }', tables: str = "") -> Workplace:
        workplace = Workplace(folder, {"T": "tok-secret-1"}, prefix)
        workplace.write(
            f'[kafka]\nbootstrap_servers = "{bootstrap}"\nprefix = "{prefix}"\n{tables}\n[connections.blog]\n'
            f'vendor = "contentful"\nspace = "sp"\ntoken = {token}\nbase_url = "{cms.url}"\npoll_interval = 0.2\n'
            + "\n".join(lines)
            + "\n"
        )
        return workplace

    return make


def rows(workplace: Workplace) -> list[tuple[str, dict[str, Any]]]:
    """Return the op and the fields of every event so far, oldest first."""
    return [(each["op"], json.loads((each["after"] or each["before"])["fields"] or "{}")) for each in told(workplace)]


def revisions(workplace: Workplace) -> list[int]:
    """Return the revisions published so far."""
    return [each["after"]["revision"] for each in told(workplace)]


def told(workplace: Workplace) -> list[dict[str, Any]]:
    """Return every event so far in the order of the stream: partitions are read side by side, in any order."""
    records = workplace.lines("tail", "blog", "--from-beginning", "--until-end", "--json")
    return sorted((each["value"] for each in records if each["value"]), key=lambda event: event["source"]["sequence"])
