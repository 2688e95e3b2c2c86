"""Inputs from the field, each with what was expected: `tests/cases/NN-name`, on the real broker, as users run it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.demo.broker import Broker
from tests.command import Workplace
from tests.scriptedcms import ScriptedCms

CASES = Path(__file__).parents[1] / "cases"
ONCE = ("run", "--until-caught-up", "--log-level", "error")

Place = Callable[..., Workplace]


def case(name: str) -> Any:
    """Return the JSON of a case's file."""
    return json.loads((CASES / name).read_text(encoding="utf-8"))


@contextmanager
def served(items: list[Any]) -> Iterator[ScriptedCms]:
    """Serve a space with these items."""
    with ScriptedCms(items).serving() as cms:
        yield cms


@pytest.fixture
def place(tmp_path: Path, kafka: Broker, prefix: str) -> Place:
    """Make a workplace that follows a scripted space as `blog`."""

    def make(cms: ScriptedCms, *lines: str, token: str = '{ env = "T" }', tables: str = "") -> Workplace:
        workplace = Workplace(tmp_path, {"T": "tok-secret-1"}, prefix)
        workplace.write(
            f'[kafka]\nbootstrap_servers = "{kafka.bootstrap}"\nprefix = "{prefix}"\n{tables}\n[connections.blog]\n'
            f'vendor = "contentful"\nspace = "sp"\ntoken = {token}\nbase_url = "{cms.url}"\npoll_interval = 0.2\n'
            + "\n".join(lines)
            + "\n"
        )
        return workplace

    return make


def rows(workplace: Workplace) -> list[tuple[str, dict[str, Any]]]:
    """Return the op and the fields of every event so far, oldest first."""
    events = workplace.lines("tail", "blog", "--from-beginning", "--until-end", "--json")
    values = [each["value"] for each in events if each["value"]]
    return [(each["op"], json.loads((each["after"] or each["before"])["fields"] or "{}")) for each in values]


def test_04_content_that_changed_under_the_same_version_is_published_by_a_snapshot(place: Place) -> None:
    """A locale and a field deleted from the model: `verify` tells, its advice mends, and nothing else is published."""
    before, after = case("04-changed-under-the-same-version/initial-1.json"), None
    after = case("04-changed-under-the-same-version/initial-2.json")
    with served(before) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        cms.initial = after
        told = workplace.run("verify", "blog")
        assert told.code == 1
        assert "-> if the stream is running and current: contentwire snapshot blog" in told.out
        assert workplace.run("verify", "blog", "--shallow").code == 0
        assert workplace.run("snapshot", "blog").code == 0
        assert workplace.run(*ONCE).code == 0
        assert rows(workplace) == [("r", before[0]["fields"]), ("u", {"t": {"en-US": "Hi"}})]
        assert workplace.run("verify", "blog").code == 0


def test_04_a_tag_that_was_deleted_is_content_as_well(place: Place) -> None:
    """Tags stand beside the fields, and consumers see them in `meta`."""
    (item,) = case("04-changed-under-the-same-version/initial-1.json")
    tagged = {**item, "metadata": {"tags": [{"sys": {"type": "Link", "linkType": "Tag", "id": "old"}}]}}
    with served([tagged]) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        cms.initial = [{**item, "metadata": {"tags": []}}]
        assert workplace.run("verify", "blog").code == 1
        assert workplace.run("snapshot", "blog").code == 0
        assert workplace.run(*ONCE).code == 0
        assert [op for op, _ in rows(workplace)] == ["r", "u"]
        assert workplace.run("verify", "blog").code == 0


def test_04_the_same_content_spelt_otherwise_starts_no_storm(place: Place) -> None:
    """Key order, number spelling and a new member of `sys` are no reason to publish anything."""
    (item,) = case("04-changed-under-the-same-version/initial-1.json")
    item["fields"]["n"] = {"en-US": 10}
    with served([item]) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        fields = dict(reversed(item["fields"].items()))
        cms.initial = [{"fields": {**fields, "n": {"en-US": 10.0}}, "sys": {**item["sys"], "publishedVersion": 3}}]
        assert workplace.run("snapshot", "blog").code == 0
        assert workplace.run(*ONCE).code == 0
        assert [op for op, _ in rows(workplace)] == ["r"]
        assert workplace.run("verify", "blog").code == 0


def test_04_a_removed_draft_of_a_preview_vanishes_by_a_snapshot(place: Place) -> None:
    """A preview cannot be followed, so a snapshot reads it twice before it concludes that anything has vanished."""
    (item,) = case("04-changed-under-the-same-version/initial-1.json")
    other = {**item, "sys": {**item["sys"], "id": "draft"}}
    with served([item, other]) as cms:
        workplace = place(cms, "preview = true", 'snapshot_mode = "initial_only"')
        assert workplace.run(*ONCE).code == 0
        cms.initial = [item]
        assert workplace.run("verify", "blog").code == 1
        assert workplace.run("snapshot", "blog").code == 0
        assert workplace.run(*ONCE).code == 0
        assert [op for op, _ in rows(workplace)] == ["r", "r", "d"]
        assert workplace.run("verify", "blog").code == 0


def test_04_a_higher_revision_with_an_older_clock_is_newer(place: Place) -> None:
    """In a delta and in a snapshot alike: a change is stale only where nothing about it is newer."""
    (item,) = case("04-changed-under-the-same-version/initial-1.json")
    later = {**item, "sys": {**item["sys"], "revision": 2, "updatedAt": "2024-04-01T10:00:00.000Z"}, "fields": {}}
    with served([item]) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        cms.release([later])
        cms.initial = [later]
        assert workplace.run(*ONCE).code == 0
        assert [op for op, _ in rows(workplace)] == ["r", "u"]
        assert workplace.run("verify", "blog").code == 0


def test_04_a_restored_backup_is_mended_by_the_command_that_verify_gives(place: Place) -> None:
    """Older by clock and revision: everything is published again, for no single clock can be believed."""
    (item,) = case("04-changed-under-the-same-version/initial-1.json")
    sys = {**item["sys"], "revision": 9, "updatedAt": "2024-09-01T10:00:00.000Z"}
    with served([{**item, "sys": sys, "fields": {}}]) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        cms.initial = [item]
        told = workplace.run("verify", "blog")
        assert (told.code, advice(told.out)) == (1, ["snapshot", "blog", "--all"])
        assert workplace.run(*advice(told.out)).code == 0
        assert workplace.run(*ONCE).code == 0
        assert workplace.run("verify", "blog").code == 0


def advice(told: str) -> list[str]:
    """Return the arguments of the command that `verify` gives."""
    (line,) = [line for line in told.splitlines() if "contentwire snapshot" in line]
    return line.partition("contentwire ")[2].split()
