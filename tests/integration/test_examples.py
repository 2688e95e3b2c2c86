"""The example consumers, and the one in the README, end up with what the CMS delivers."""

import contextlib
import io
import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

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


@contextlib.contextmanager
def purges() -> Iterator[tuple[str, set[str]]]:
    """Serve a CDN's purge API; yield its URL and the purged tags."""
    tags: set[str] = set()

    class Purge(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            tags.update(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["tags"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Purge)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/purge", tags
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_cache_invalidation_purges_only_what_changed(deployment: Deployment, prefix: str) -> None:
    """A group that has purged the snapshot purges only the changed entity and its lists after a later delta."""
    with purges() as (url, tags):
        arguments = given(deployment, "--purge-url", url, "--group", prefix)
        cache_invalidation.main(arguments)
        assert {tag for tag in tags if tag.startswith("entry:")} == {
            f"entry:{live.id}" for live in deployment.simulator.truth(VENDOR) if live.entity_type == "entry"
        }
        tags.clear()
        edited = deployment.simulator.ids()[0]
        deployment.change(lambda simulator: simulator.edit(edited))
        deployment.follow()
        cache_invalidation.main(arguments)
        table = next(live.content_type for live in deployment.simulator.truth(VENDOR) if live.id == edited)
        assert tags == {f"entry:{edited}", table}


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
