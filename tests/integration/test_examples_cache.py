"""Cache invalidation by the commands of its document: a real Varnish, a site, purges by tag."""

import re
import sqlite3
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from connector.devservers.broker import Broker
from connector.devservers.child import Child, free_ports
from connector.simulator import Simulator
from examples.cache_invalidation.paths import paths
from examples.cache_invalidation.site import page
from examples.read_model import consumer as read_model
from tests import debian
from tests.cms import eventually
from tests.documents import ROOT, commands
from tests.stage import Stage

DOCUMENT = "docs/consumers/cache-invalidation.md"


@pytest.fixture(name="stage")
def _stage(kafka: Broker, registry: str, prefix: str, tmp_path: Path) -> Iterator[Stage]:
    debian.varnish()
    ports = free_ports(2)
    rules = (ROOT / "examples/cache_invalidation/site.vcl").read_text(encoding="utf-8")
    with ExitStack() as stack:
        # Started by root, Varnish reads its rules as somebody else, who cannot look into this test's own folder.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="varnish-")))
        folder.chmod(0o755)
        (folder / "site.vcl").write_text(rules.replace('"8000"', f'"{ports[0]}"'))
        assert "site.vcl" in commands(DOCUMENT, "export LISTEN")
        addresses = {"LISTEN": f"127.0.0.1:{ports[0]}", "CACHE": f"127.0.0.1:{ports[1]}"}
        more = {**addresses, "WORK": f"{folder}/work", "VCL": f"{folder}/site.vcl"}
        cms = stack.enter_context(Simulator(seed=11, entries=20, wall_clock=True).serving())
        yield Stage(tmp_path, cms, kafka, registry, prefix, more=more)


@pytest.fixture(name="purger")
def _purger(stage: Stage) -> Iterator[Child]:
    """Start everything that the document starts; yield what purges."""
    stage.publish()
    with ExitStack() as stack:
        names = ("read_model.consumer", "cache_invalidation.site", "varnishd")
        *_, cache = [stack.enter_context(stage.shell.start(commands(DOCUMENT, name))) for name in names]
        assert cache.said("Child launched OK", 60), cache.tail()
        purge = commands(DOCUMENT, "cache_invalidation.consumer").strip()
        stage.shell.run(f"{purge} --until-end")  # the snapshot's tags, both times
        yield stack.enter_context(stage.shell.start(purge))


def get(stage: Stage, path: str) -> tuple[int, str, bool]:
    """Return the status and the text of a page, and whether it came from the cache."""
    try:
        answer = urllib.request.urlopen(f"http://{stage.variables['CACHE']}{path}", timeout=10)
    except urllib.error.HTTPError as refused:
        answer = refused
    with answer:
        return answer.status, answer.read().decode(), answer.headers["x-cache"] != "0"


def linked(cms: Simulator) -> tuple[str, str, str]:
    """Return a post, its author and the author's portrait: links of links."""
    author = cms.publish("author")
    portrait = cms.ids("asset")[0]
    link = {"sys": {"type": "Link", "linkType": "Asset", "id": portrait}}
    cms.edit(author, fields={"name": {"en-US": "Ada"}, "portrait": {"en-US": link}})
    by = {"sys": {"type": "Link", "linkType": "Entry", "id": author}}
    post = cms.publish("blogPost", fields={"title": {"en-US": "Engines"}, "author": {"en-US": by}})
    return post, author, portrait


def test_pages_are_purged_when_what_they_link_to_changes(stage: Stage, request: pytest.FixtureRequest) -> None:
    """Through links of links, and when an author returns who was away as the page was rendered; no other page goes."""
    cms = stage.cms
    post, author, portrait = linked(cms)
    other = cms.publish("category", fields={"label": {"en-US": "Elsewhere"}})
    purger: Child = request.getfixturevalue("purger")
    here, elsewhere = f"/entry/{post}", f"/entry/{other}"

    def settles(*expected: str, without: str = "no such text") -> None:
        """Wait until the cached page has these texts, and stays in the cache."""

        def settled() -> bool:
            _, text, cached = get(stage, here)
            return cached and without not in text and all(each in text for each in expected)

        eventually(settled)

    get(stage, elsewhere)
    settles("Engines", "Ada")
    cms.edit(portrait, fields={"title": {"en-US": "Her portrait"}})
    stage.publish()
    settles("Ada", "Her portrait")
    cms.unpublish(author)
    stage.publish()
    settles("Engines", without="Ada")
    cms.publish("author", id=author)
    stage.publish()
    settles("Ada", "Her portrait")
    assert get(stage, elsewhere)[2]
    took = [float(each) for each in re.findall(r"([\d.]+) s after the change", purger.tail(50))]
    assert len(took) >= 3
    assert min(took) < 30


@pytest.fixture(name="model")
def _model() -> Iterator[sqlite3.Connection]:
    """Yield a read model: a post by an author with a portrait, and a post related to that one."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(read_model.TABLES)
        links = {"post": ["entry:author"], "author": ["asset:portrait"], "next": ["entry:post", "entry:gone"]}
        for entity, refs in links.items():
            apply(database, entity, refs)
        yield database


def apply(database: sqlite3.Connection, entity: str, refs: list[str]) -> None:
    """Publish an entry called as its id."""
    row = {"connection": "blog", "entity_type": "entry", "id": entity, "locale": "*", "content_type": "post"}
    event = {"op": "c", "after": {**row, "revision": 1, "fields": f'{{"title": "{entity}"}}', "refs": refs}}
    read_model.apply(database, {**event, "source": {}})


def test_a_page_is_tagged_with_what_it_links_to(model: sqlite3.Connection) -> None:
    """Whether that is there or not, and through links of links; a page that is not there has its own tag."""
    assert page(model, "/entry/next").tags == {"entry:next", "entry:post", "entry:gone", "entry:author"}
    assert page(model, "/entry/post").tags == {"entry:post", "entry:author", "asset:portrait"}
    assert page(model, "/entry/gone") == (404, page(model, "/entry/gone").text, {"entry:gone"})
    assert page(model, "/post").tags == {"post"}


@pytest.mark.parametrize("target", ["entry:post", "entry:author", "asset:portrait", "entry:gone", "entry:next"])
def test_the_reverse_index_names_the_pages_with_that_tag(model: sqlite3.Connection, target: str) -> None:
    """For caches that purge by path: the pages that a cache with tags would purge, of entities that are gone too."""
    everything = ["author", "gone", "next", "post"]
    assert paths(model, target) == [
        f"/entry/{each}" for each in everything if target in page(model, f"/entry/{each}").tags
    ]
