"""Streams of Contentful and Weegloo with every documented parameter; the expected result comes from the change log.

The rules here are written from the vendors' documents. They use neither the vendor modules nor the simulator's filters.
"""

from collections.abc import Callable, Iterator, Sequence

import httpx
import pytest

from connector.commands.edits import at_cursor
from connector.events.state_record import flat
from connector.model.change import EntityKey
from connector.simulator import Simulator
from connector.simulator.store import Change
from connector.testing import MemoryStore
from connector.vendors import names
from tests.cms import connect, requests
from tests.following import Following
from tests.published import latest, seen
from tests.values import CONNECTION

Held = dict[tuple[str, str], str | None]
Selection = tuple[str, dict[str, str], set[str], set[str]]
Follow = Callable[..., Following]

LIVE, GONE = "live", "gone"
# For each `type`: which live entities and which removals are delivered, by entity type.
CONTENTFUL: dict[str, tuple[set[str], set[str]]] = {
    "all": ({"entry", "asset"}, {"entry", "asset"}),
    "Entry": ({"entry"}, set()),
    "Asset": ({"asset"}, set()),
    "Deletion": (set(), {"entry", "asset"}),
    "DeletedEntry": (set(), {"entry"}),
    "DeletedAsset": (set(), {"asset"}),
}
_ALL = {"entry", "asset", "content_type"}
WEEGLOO: dict[str, tuple[set[str], set[str]]] = {
    "All": (_ALL, {"entry", "asset"}),
    "Content": (_ALL, set()),
    "Media": (_ALL, set()),
    "Deletion": (set(), {"entry", "asset"}),
    "DeletedContent": (set(), {"entry"}),
    "DeletedMedia": (set(), {"asset"}),
}
SELECTIONS: list[Selection] = [
    *[("contentful", {"type": each}, *rule) for each, rule in CONTENTFUL.items()],
    ("contentful", {"type": "Entry", "content_type": "blogPost"}, {"entry"}, set()),
    *[("weegloo", {"type": each}, *rule) for each, rule in WEEGLOO.items()],
    ("weegloo", {"type": "Content", "content-type": "blogPost"}, {"entry"}, set()),
    ("weegloo", {"type": "DeletedContent", "content-type": "blogPost"}, set(), {"entry"}),
]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Give a served simulator with several pages."""
    with Simulator(seed=5, entries=24, page_sizes={"contentful": 7, "weegloo": 7}).serving() as serving:
        yield serving


@pytest.fixture
def store() -> MemoryStore:
    """Give a store."""
    return MemoryStore(connection=CONNECTION)


@pytest.fixture
def follow(simulator: Simulator, store: MemoryStore) -> Follow:
    """Make a stream into the store."""
    return lambda name, **settings: Following(simulator, name, lambda: store, **settings)


def disturb(simulator: Simulator) -> None:
    """Publish, edit, unpublish and delete entries and assets of several types, and a content type."""
    one, two, three, four, *_ = simulator.ids()
    first, second, third, *_ = simulator.ids("asset")
    simulator.publish("blogPost")
    simulator.unpublish(one)
    simulator.unpublish(two, locale="de-DE")
    simulator.delete(three)
    simulator.edit(four)
    simulator.unpublish(first)
    simulator.delete(second)
    simulator.edit(third)
    simulator.delete_content_type("category")
    for content_type in ("blogPost", "product"):
        edited, deleted, *_ = simulator.ids(content_type=content_type)
        simulator.edit(edited)
        simulator.delete(deleted)


def disturb_again(simulator: Simulator) -> None:
    """Edit, unpublish and delete once more."""
    simulator.edit(simulator.ids()[0])
    simulator.unpublish(simulator.ids()[1])
    simulator.delete(simulator.ids("asset")[0])
    simulator.delete(simulator.ids(content_type="blogPost")[0])


def outcome(changes: Sequence[Change], content_type: str | None) -> Held:
    """Return how each entity in `changes` ended, by entity type and id: live, or gone."""
    held: Held = {}
    for change in changes:
        gone = [(each, False) for each in change.cascade]
        for version, live in (*gone, (change.version, bool(change.version.live))):
            if content_type in (None, version.content_type):
                held[version.kind, version.id] = LIVE if live else GONE
    return held


def picked(held: Held, live: set[str], gone: set[str]) -> Held:
    """Return the part of `held` that is delivered: the live ones of some entity types, and the gone ones of some."""
    return {key: state for key, state in held.items() if key[0] in (live if state == LIVE else gone)}


def reported(store: MemoryStore, since: int) -> Held:
    """Return what the records from `since` on say about each entity."""
    events = [each for each in seen(store.records[since:]) if each.event]
    return {(each.key.entity_type, each.key.id): GONE if each.op == "d" else LIVE for each in events}


def standing(store: MemoryStore) -> set[tuple[str, str]]:
    """Return what a consumer holds."""
    return {(key.entity_type, key.id) for key in latest(seen(store.records))}


@pytest.mark.parametrize("selection", SELECTIONS, ids=["-".join((n, *f.values())) for n, f, *_ in SELECTIONS])
def test_a_stream_of_a_part_publishes_that_part(
    simulator: Simulator, store: MemoryStore, follow: Follow, selection: Selection
) -> None:
    """For every documented value: at first what is live, then, poll by poll, what became of it."""
    name, api_filter, live, gone = selection
    content_type = api_filter.get("content_type") or api_filter.get("content-type")
    following = follow(name, api_filter=api_filter)
    following.become_current()
    first = picked(outcome(simulator.changes(), content_type), live, set())
    assert standing(store) == first.keys()
    for happens in (disturb, disturb_again):
        before, log = len(store.records), len(simulator.changes())
        happens(simulator)
        following.become_current()
        due = picked(outcome(simulator.changes()[log:], content_type), live, gone)
        assert reported(store, before) == due
        first = {key: state for key, state in (first | due).items() if state == LIVE}
        assert standing(store) == first.keys()


@pytest.mark.parametrize("wanted", ["Content", "Media"])
@pytest.mark.parametrize("quirk", ["wide_deltas", "narrow_deltas"])
def test_weegloo_deltas_may_select_otherwise(
    simulator: Simulator, store: MemoryStore, follow: Follow, wanted: str, quirk: str
) -> None:
    """The document says what `type` selects in an initial sync; in deltas, whatever comes is published."""
    simulator.set_quirks("weegloo", [quirk])
    following = follow("weegloo", api_filter={"type": wanted})
    following.become_current()
    before, log = len(store.records), len(simulator.changes())
    disturb(simulator)
    following.become_current()
    only = {"entry" if wanted == "Content" else "asset"}
    live, gone = (_ALL, {"entry", "asset"}) if quirk == "wide_deltas" else (only, set())
    assert reported(store, before) == picked(outcome(simulator.changes()[log:], None), live, gone)


def test_a_preview_is_one_initial_sync_with_drafts(simulator: Simulator, store: MemoryStore, follow: Follow) -> None:
    """It includes what is unpublished but not deleted; the stream then ends with the reason, and loses nothing."""
    simulator.set_quirks("contentful", ["preview"])
    draft, deleted, *_ = simulator.ids()
    simulator.unpublish(draft)
    simulator.delete(deleted)
    expected: dict[tuple[str, str], str] = {}
    for change in simulator.changes():
        if change.version.kind != "content_type":
            there = change.version.live or change.action == "unpublished"
            expected[change.version.kind, change.version.id] = LIVE if there else GONE
    ended = follow("contentful", preview=True).catch_up()
    assert standing(store) == {key for key, state in expected.items() if state == LIVE}
    assert ("entry", draft) in standing(store)
    assert "Preview API" in ended.status.error


@pytest.mark.parametrize("name", ["contentful", "weegloo"])
def test_the_url_of_a_reference_leads_to_the_entity(simulator: Simulator, name: str) -> None:
    """What `oversized = "reference"` publishes can be fetched, until it is deleted."""
    vendor = connect(simulator, name)
    headers = {"authorization": f"Bearer {simulator.connection(name)['token']}"}
    with httpx.Client(headers=headers, trust_env=False) as client:
        for live in simulator.truth(name):
            url = vendor.locate(EntityKey(CONNECTION, live.entity_type, live.id, live.locale), live.content_type)
            answer = client.get(url)
            assert answer.status_code == 200, answer.text
            assert answer.json()["sys"]["id"] == live.id
            assert answer.json()["sys"]["revision"] == live.revision
        gone = simulator.delete(simulator.ids()[0])
        assert client.get(vendor.locate(EntityKey(CONNECTION, "entry", gone, "*"), None)).status_code == 404


@pytest.mark.parametrize("name", names())
def test_a_token_from_elsewhere_is_followed(
    simulator: Simulator, store: MemoryStore, follow: Follow, name: str
) -> None:
    """As `checkpoints import --cursor` commits it: only what changed since then is published, and nothing is lost."""
    other = MemoryStore(connection=CONNECTION)
    elsewhere = Following(simulator, name, lambda: other)
    elsewhere.become_current()
    token = elsewhere.checkpoint().position.cursor
    assert token
    edited, gone, *_ = simulator.ids()
    simulator.edit(edited)
    simulator.delete(gone)
    following = follow(name)
    imported = at_cursor(following.checkpoint(), following.fingerprint, cursor=token)
    following.checkpoint(**flat(imported))
    simulator.clear_requests(name)
    following.become_current()
    assert {id_: state for (_, id_), state in reported(store, 0).items()} == {edited: LIVE, gone: GONE}
    assert "start" not in requests(simulator, name)
