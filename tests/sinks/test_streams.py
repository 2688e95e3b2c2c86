"""Kafka Streams: the foreign-key join of the document finds every pair, as keys are the bytes of a JVM too."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.devservers import java as jvm
from connector.devservers.broker import Broker
from connector.devservers.child import Child
from connector.simulator import Simulator
from tests import java
from tests.sinks.recipe import block
from tests.stage import VENDOR, Stage

pytestmark = pytest.mark.sinks

_BUNDLES = ("kafka-streams-4.3.1", "apicurio-serde-3.1.7")
_LOGGING = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
_PROGRAM = Path(java.__file__).with_name("Joined.java")

Pairs = dict[tuple[str, str], str]


@pytest.fixture(name="stage")
def _stage(kafka: Broker, registry: str, prefix: str, tmp_path: Path) -> Iterator[Stage]:
    with Simulator(seed=11, entries=120).serving() as cms:
        stage = Stage(tmp_path, cms, kafka, registry, prefix)
        stage.publish()
        yield stage


def program(stage: Stage) -> list[str]:
    """Return the arguments that run the document's topology, compiled."""
    topics = {f"contentwire.blog.table.{name}": _topic(stage, name) for name in ("blogPost", "author")}
    source = stage.folder / _PROGRAM.name
    recipe = block("Kafka Streams", "posts.join", topics)
    source.write_text(_PROGRAM.read_text(encoding="utf-8").replace("RECIPE", recipe), encoding="utf-8")
    path = os.pathsep.join(str(archive) for bundle in _BUNDLES for archive in java.fetched(bundle))
    compile_ = ["-cp", path, "org.eclipse.jdt.internal.compiler.batch.Main", "-nowarn", "-17"]
    log = stage.folder / "compiler.log"
    with jvm.run([*compile_, "-cp", path, str(source)], log=log) as compiler:
        assert compiler.wait(60) == 0, compiler.tail(30)
    return ["-Xmx512m", *jvm.BRIEF, _LOGGING, "-cp", f"{stage.folder}{os.pathsep}{path}", "Joined"]


def _topic(stage: Stage, table: str) -> str:
    return f"{stage.variables['PREFIX']}.{VENDOR}.table.{table}"


def wanted(stage: Stage) -> Pairs:
    """Return each post that has an author in its own language, with the text that the document makes of both."""
    tables = stage.tables()
    authors = tables["author"]
    return {
        key: f"{post['title']} by {authors[author]['name']}"
        for key, post in tables["blogPost"].items()
        if (author := (post["author"], key[1])) in authors
    }


def arrived(child: Child, log: Path, expected: Pairs) -> Pairs:
    """Return the pairs that are there once they are the expected ones, or that are there when time runs out."""
    deadline = time.monotonic() + 60
    while (found := _pairs(log)) != expected and child.running and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _pairs(log: Path) -> Pairs:
    found: dict[tuple[str, str], str | None] = {}
    # A line that is still being written has no end.
    for line in log.read_text(encoding="utf-8").split("\n")[:-1]:
        kind, _, row = line.partition(" ")
        if kind == "pair":
            id_, locale, text = json.loads(row)
            found[id_, locale] = text
    return {key: text for key, text in found.items() if text is not None}


def test_a_join_by_a_link_finds_every_pair(stage: Stage) -> None:
    """What the CMS delivers, and nothing else, also after edits and deletes on both sides."""
    servers = [stage.broker.bootstrap, stage.variables["REGISTRY"].replace("/ccompat/v7", "/registry/v3")]
    log = stage.folder / "streams.log"
    application = [*program(stage), *servers, stage.variables["PREFIX"], str(stage.folder / "state")]
    with jvm.run(application, log=log) as child:
        expected = wanted(stage)
        assert len(expected) > 20
        assert arrived(child, log, expected) == expected, child.tail(40)
        stage.edit()
        stage.cms.delete(stage.cms.ids(content_type="author")[-1])
        stage.publish()
        after = wanted(stage)
        assert after.keys() != expected.keys()
        assert arrived(child, log, after) == after, child.tail(40)
