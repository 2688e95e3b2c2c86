"""The examples' first page: from the demo's configuration to typed tables, a read model and its reverse index."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from connector.demo.pipeline import Pipeline
from connector.devservers.broker import Broker
from connector.simulator import Simulator
from examples.cache_invalidation.paths import paths
from tests.documents import Shell, commands

DOCUMENT = "examples/README.md"
READ_MODEL = "docs/consumers/read-model.md"
CACHE = "docs/consumers/cache-invalidation.md"


@pytest.fixture(name="demo")
def _demo(kafka: Broker, registry: str, prefix: str, tmp_path: Path) -> Iterator[Pipeline]:
    """Yield what a demo leaves running, but for its connector."""
    folder = tmp_path / "demo"
    folder.mkdir()
    with Simulator(entries=20).serving() as simulator:
        pipeline = Pipeline(kafka, registry, simulator, folder, prefix, "127.0.0.1:0")
        pipeline.write()
        yield pipeline


def test_the_first_page_leads_from_the_demo_to_typed_tables(demo: Pipeline, tmp_path: Path) -> None:
    """Its commands make a configuration with tables, and what every guide needs; the read model is what the CMS has."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    shell = Shell(tmp_path, {})
    prefix = f"{demo.prefix}-typed"
    start = commands(DOCUMENT, "/tmp/contentwire-demo-").replace("/tmp/contentwire-demo-XXXXXXXX", str(demo.folder))
    start += commands(DOCUMENT, "--until-caught-up").replace('"typed"', f'"{prefix}"')
    variables = commands(DOCUMENT, "export BOOTSTRAP")
    assert shell.run(f"{start}{variables} echo $BOOTSTRAP $REGISTRY $PREFIX").splitlines()[-1].split() == [
        demo.broker.bootstrap,
        demo.registry,
        prefix,
    ]
    model = commands(READ_MODEL, "read_model.consumer")
    target = f"entry:{demo.simulator.ids()[0]}"
    asked = commands(CACHE, "cache_invalidation.paths").replace("$TARGET", target)
    printed = shell.run(variables + model + asked)
    with closing(sqlite3.connect(tmp_path / "model.db")) as database:
        held = database.execute("select id from entity where entity_type in ('entry', 'asset')").fetchall()
        assert printed.split() == paths(database, target)
    assert sorted(each for (each,) in held) == sorted(live.id for live in demo.simulator.truth("contentful"))
