"""The example consumers, and the one in the README, end up with what the CMS delivers."""

import contextlib
import io
import re
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from connector.devservers.broker import Broker
from examples import changes
from examples.cache_invalidation import consumer as cache_invalidation
from examples.read_model import consumer as read_model
from tests.faults.deployment import Deployment, everyday

README = Path(__file__).parents[2] / "README.md"
VENDOR = "contentstack"


@pytest.fixture(params=["debezium", "flat"])
def deployment(kafka: Broker, prefix: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Yield a stream without a registry, in either envelope, that has taken a snapshot."""
    with Deployment(kafka, prefix, tmp_path, vendors=(VENDOR,), connection={"envelope": request.param}) as deployed:
        deployed.follow()
        yield deployed


def given(deployment: Deployment, *more: str) -> list[str]:
    """Return the arguments of an example."""
    bootstrap = deployment.client["bootstrap.servers"]
    return ["--bootstrap", bootstrap, "--topic", deployment.topic(VENDOR), "--until-end", *more]


def test_read_model_holds_what_the_cms_delivers(deployment: Deployment, tmp_path: Path) -> None:
    """After a snapshot, a delta and a restart of the consumer the table equals the CMS."""
    database = tmp_path / "model.db"
    for edits in (lambda _: None, everyday):
        deployment.change(edits)
        deployment.follow()
        read_model.main(given(deployment, "--database", str(database)))

        rows = sqlite3.connect(database).execute("select entity_type, id, locale, revision, fields from entity")
        truth = deployment.simulator.truth(VENDOR)
        assert sorted(rows) == sorted(
            (live.entity_type, live.id, live.locale, live.revision, (live.fields or b"").decode()) for live in truth
        )


class Purges(NamedTuple):
    """A cache's address, the tags that it was asked to purge, and where the read model was each time."""

    url: str
    tags: set[str]
    positions: list[int]


@contextlib.contextmanager
def purges(database: Path) -> Iterator[Purges]:
    """Serve a cache that purges by tag."""
    seen = Purges("", set(), [])

    class Purge(BaseHTTPRequestHandler):
        def do_PURGE(self) -> None:
            seen.tags.update(self.headers["xkey"].split())
            with contextlib.closing(sqlite3.connect(database)) as model:
                seen.positions.append(read_model.position(model, 0))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Purge)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield seen._replace(url=f"http://127.0.0.1:{server.server_port}/")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_cache_invalidation_purges_only_what_changed(deployment: Deployment, prefix: str, tmp_path: Path) -> None:
    """A group that has purged the snapshot purges only the changed entity and its lists after a later delta."""
    model = ["--database", str(tmp_path / "model.db")]
    with purges(tmp_path / "model.db") as seen:
        arguments = given(deployment, *model, "--purge-url", seen.url, "--group", prefix, "--render-seconds", "0")
        read_model.main(given(deployment, *model))
        cache_invalidation.main(arguments)
        assert {tag for tag in seen.tags if tag.startswith("entry:")} == {
            f"entry:{live.id}" for live in deployment.simulator.truth(VENDOR) if live.entity_type == "entry"
        }
        seen.tags.clear()
        edited = deployment.simulator.ids()[0]
        deployment.change(lambda simulator: simulator.edit(edited))
        deployment.follow()
        read_model.main(given(deployment, *model))
        cache_invalidation.main(arguments)
        table = next(live.content_type for live in deployment.simulator.truth(VENDOR) if live.id == edited)
        assert seen.tags == {f"entry:{edited}", table}


def test_nothing_is_purged_before_the_read_model_has_it(deployment: Deployment, prefix: str, tmp_path: Path) -> None:
    """A page that is rendered after the purge is rendered from the new state; each tag is purged twice."""
    model = ["--database", str(tmp_path / "model.db")]
    with purges(tmp_path / "model.db") as seen:
        read_model.main(given(deployment, *model))
        with contextlib.closing(sqlite3.connect(tmp_path / "model.db")) as database:
            end = read_model.position(database, 0)
            with database:
                database.execute("update position set next_offset = 0 where partition = 0")
        late = threading.Timer(1.0, read_model.main, [given(deployment, *model)])
        late.start()
        cache_invalidation.main(
            given(deployment, *model, "--purge-url", seen.url, "--group", prefix, "--render-seconds", "0")
        )
        late.join()
    assert len(seen.positions) >= 2
    assert seen.positions[-1] == end
    assert 0 not in seen.positions


def test_no_example_imports_the_connector() -> None:
    """They are to be copied: what they need of contentwire stands in its documents."""
    for path in (README.parent / "examples").rglob("*.py"):
        assert not re.search(r"^ *(from|import) connector\b", path.read_text(encoding="utf-8"), re.MULTILINE), path


def test_a_record_of_an_unknown_schema_is_an_error() -> None:
    """Without a registry the fingerprint decides: what another release has written is not read as something else."""
    decode = changes.decoder(None)
    with pytest.raises(ValueError, match="not in schemas/"):
        decode(b"\xc3\x01" + bytes(8) + b"\x00")


@pytest.mark.parametrize("envelope", ["debezium", "flat"])
def test_the_consumer_in_the_readme_works(
    kafka: Broker, registry: str, prefix: str, tmp_path: Path, envelope: str
) -> None:
    """The README's code, unchanged, prints every event, in either envelope."""
    settings: dict[str, Any] = {"kafka": {"registry": {"url": registry}}, "connection": {"envelope": envelope}}
    with Deployment(kafka, prefix, tmp_path, vendors=(VENDOR,), **settings) as deployed:
        deployed.follow()
        deployed.change(everyday)
        deployed.follow()
        topic = deployed.topic(VENDOR)
        found = re.search(r"```python\n(import functools.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
        assert found
        source = found[1].replace("consumer.poll(30)", "consumer.poll(10)")
        names = {"BOOTSTRAP": kafka.bootstrap, "REGISTRY": registry, "TOPIC": topic, "GROUP": prefix}
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(source, "README.md", "exec"), names)
        names["consumer"].close()  # type: ignore[attr-defined]
        ops = [line.split()[0] for line in printed.getvalue().splitlines()]
        truth = deployed.simulator.truth(VENDOR)
    assert set(ops) == {"r", "c", "u", "d"}
    assert ops.count("r") + ops.count("c") - ops.count("d") == len(truth)
