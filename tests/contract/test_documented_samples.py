"""The sample responses in the vendors' documents, served byte for byte: each item gives what the document says."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connector.simulator import Simulator
from connector.testing import MemoryStore
from tests import jsonserver
from tests.following import Following
from tests.jsonserver import Answer, Asked
from tests.published import latest, letters, seen
from tests.values import CONNECTION

SAMPLES = Path(__file__).parent / "samples"
STACK_END = b'{"items":[],"sync_token":"blt1223344556677"}'
SPACE_END = (
    b'{"sys":{"type":"PageResponse"},"limit":15,"items":[],"links":{},'
    b'"nextSyncUrl":"/v1/spaces/tcq4V2Xb/sync?sync-token=165r"}'
)


@contextmanager
def serving(*pages: bytes) -> Iterator[tuple[str, list[str]]]:
    """Answer sync requests with these pages in turn, then repeat the last; yield the URL and what was asked."""
    asked: list[str] = []

    def answer(request: Asked) -> Answer:
        page = pages[min(len(asked), len(pages) - 1)]
        asked.append(request.path)
        return 200, {}, page

    with jsonserver.serving(answer) as url:
        yield url, asked


def sample(name: str) -> bytes:
    """Return the bytes of a sample."""
    return (SAMPLES / f"{name}.json").read_bytes()


def follow(name: str, url: str, store: MemoryStore) -> Following:
    """Return a stream of that URL into the store."""
    return Following(Simulator(entries=1), name, lambda: store, base_url=url)


def live(store: MemoryStore) -> dict[tuple[str, str, str], str | None]:
    """Return the content type of everything that is live, by entity type, id and locale."""
    found = latest(seen(store.records)).items()
    return {(key.entity_type, key.id, key.locale): event["after"]["content_type"] for key, event in found}


def test_contentstack_initial_and_subsequent_sync() -> None:
    """Published is live and unpublished is not, even with the document's odd dates and a content type without uids."""
    store = MemoryStore(connection=CONNECTION)
    with serving(sample("contentstack-initial"), sample("contentstack-delta"), STACK_END) as (url, asked):
        following = follow("contentstack", url, store)
        following.become_current()
        following.become_current()
    assert set(live(store)) == {("entry", "1", "en-us"), ("asset", "3", "en-us")}
    assert live(store)["entry", "1", "en-us"] == "Blog"
    removed = {(each.key.entity_type, each.key.id) for each in seen(store.records) if each.op == "d"}
    assert removed == {("entry", "2"), ("entry", "5"), ("asset", "5"), ("content_type", "Blog Suggestions")}
    assert letters(store.records) == []
    assert "init=true" in asked[0]
    assert "sync_token=blt122334455667" in asked[1]
    assert "sync_token=blt1223344556677" in asked[2]


def test_contentstack_page_of_a_walk() -> None:
    """A page with a pagination token is followed by another; entries and assets may share an id."""
    store = MemoryStore(connection=CONNECTION)
    with serving(sample("contentstack-page"), STACK_END) as (url, asked):
        follow("contentstack", url, store).become_current()
    entries = {("entry", each, "en-us") for each in "124"}
    assert set(live(store)) == entries | {("asset", each, "en-us") for each in "34"}
    assert letters(store.records) == []
    assert "pagination_token=blt122334455667" in asked[1]


def test_weegloo_initial_sync() -> None:
    """The only Content is live, with its fields as written, an empty map among them."""
    store = MemoryStore(connection=CONNECTION)
    with serving(sample("weegloo-initial"), SPACE_END) as (url, asked):
        follow("weegloo", url, store).become_current()
    ((key, event),) = latest(seen(store.records)).items()
    assert (key.entity_type, key.id) == ("entry", "3trmXRM3RqbgSnifyg7PBUM8Ds0Xvw")
    assert (event["after"]["content_type"], event["after"]["revision"]) == ("3trmXRM3RqbgSnifyg7PAmlxvX4fGY", 3)
    assert event["after"]["fields"].encode() in sample("weegloo-initial")
    assert '"photo": {}' in event["after"]["fields"]
    assert letters(store.records) == []
    token = sample("weegloo-initial").decode().partition("sync-token=")[2].partition('"')[0]
    assert asked[1].endswith(f"sync-token={token}")
