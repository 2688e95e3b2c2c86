"""The first delta after an initial sync of Contentstack may report older events, as live tests had to allow."""

import json
from typing import Any

import httpx
import pytest

from connector.simulator import Simulator
from connector.testing import MemoryStore
from tests.published import events, ops
from tests.story import Told

Item = dict[str, Any]


def item(kind: str, uid: str, hour: int, version: int = 1, **more: Any) -> Item:
    """Return an item as the vendor's documentation shows it, at an hour of one day."""
    at = f"2024-05-01T{hour:02}:00:00.000Z"
    details = {"environment": "blt1", "locale": "en-us", "time": at}
    data = {"uid": uid, "locale": "en-us", "_version": version, "publish_details": details}
    typed = {} if kind.startswith("asset") else {"content_type_uid": "page"}
    return {"type": kind, "event_at": at, **typed, "data": {} if kind == "content_type_deleted" else data, **more}


PUBLISHED = [item("entry_published", "e1", 10), item("entry_published", "e2", 10), item("asset_published", "a1", 10)]
OLDER = {
    "unpublished": item("entry_unpublished", "e1", 9),
    "deleted": item("entry_deleted", "e1", 9),
    "deleted in every locale": item("entry_deleted", "e1", 9, data={"uid": "e1"}),
    "of an asset": item("asset_unpublished", "a1", 9),
    "an older version": item("entry_published", "e1", 9, version=1),
}


def delivered(first: list[Item], delta: list[Item]) -> MemoryStore:
    """Follow a stack that answers an initial sync with `first`, the delta after it with `delta`, newest first."""
    store = MemoryStore()

    def answer(request: httpx.Request) -> httpx.Response:
        cursor = request.url.params.get("sync_token")
        items = first if cursor is None else delta if cursor == "s1" else []
        body: Item = {"items": items, "skip": 0, "limit": 100, "total_count": len(items)}
        body["sync_token"] = "s2" if cursor else "s1"
        return httpx.Response(200, stream=httpx.ByteStream(json.dumps(body).encode()))

    following = Told(Simulator(entries=1), "contentstack", lambda: store, page_size=100)
    following.transport = httpx.MockTransport(answer)
    following.become_current()
    following.become_current()
    return store


@pytest.mark.parametrize("older", OLDER)
@pytest.mark.parametrize("again", [False, True])
def test_an_older_event_does_not_touch_what_is_live(older: str, *, again: bool) -> None:
    """Whether or not a newer event of the same entity comes with it: nothing is removed or reverted."""
    newer = [item("entry_published", "e1", 11, version=2)] if again else []
    store = delivered(PUBLISHED, [*newer, OLDER[older]])
    assert ops(store.records) == [
        ("r", "e1/en-us"),
        ("r", "e2/en-us"),
        ("r", "a1/en-us"),
        *[("u", "e1/en-us")][: len(newer)],
    ]
    assert [each["after"]["revision"] for each in events(store.records) if each["after"]][-1] == (2 if again else 1)


def test_an_older_removal_of_a_type_leaves_its_entries() -> None:
    """The type has been recreated since: its own removal is published, but none of an entry."""
    store = delivered(PUBLISHED, [item("content_type_deleted", "", 9)])
    removed = [each for each in ops(store.records) if each[0] in ("d", "tombstone")]
    assert removed == [("d", "page"), ("tombstone", "page")]


def test_an_older_removal_of_what_was_never_live_is_published() -> None:
    """It does no harm: its key has no row."""
    store = delivered(PUBLISHED, [item("entry_unpublished", "e9", 7)])
    assert ops(store.records)[-2:] == [("d", "e9/en-us"), ("tombstone", "e9/en-us")]


def test_a_newer_removal_removes() -> None:
    """The other tests ignore removals because they are older, not because they are removals."""
    store = delivered(PUBLISHED, [item("entry_unpublished", "e1", 11)])
    assert ops(store.records)[-2:] == [("d", "e1/en-us"), ("tombstone", "e1/en-us")]
