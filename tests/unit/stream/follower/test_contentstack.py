"""Streams of Contentstack with every documented parameter, and with what the API has been seen to do besides."""

from collections.abc import Callable

import httpx
import pytest

from connector.model.change import EntityKey
from connector.simulator import Simulator
from connector.testing import MemoryStore
from tests.cms import assert_right, connect, rows, truth
from tests.loopback import Loopback
from tests.published import events, latest, seen
from tests.story import HOME, Told
from tests.values import CONNECTION

NAME = "contentstack"
TYPES = (
    "entry_published",
    "asset_published",
    "entry_unpublished",
    "asset_unpublished",
    "entry_deleted",
    "asset_deleted",
    "content_type_deleted",
)

Follow = Callable[..., Told]


@pytest.fixture
def simulator() -> Simulator:
    """Give a simulator with several pages."""
    return Simulator(seed=5, entries=24, page_sizes={NAME: 10})


@pytest.fixture
def follow(simulator: Simulator, store: MemoryStore) -> Follow:
    """Make a stream into the store."""
    return lambda **settings: Told(simulator, NAME, lambda: store, **{"page_size": 10, **settings})


def everything(simulator: Simulator) -> None:
    """Cause every type of item, in several locales and content types."""
    one, two, three, four, *_ = simulator.ids()
    first, second, third, *_ = simulator.ids("asset")
    simulator.unpublish(one)
    simulator.unpublish(two, locale="de-DE")
    simulator.delete(three)
    simulator.unpublish(first)
    simulator.delete(second)
    simulator.edit(four)
    simulator.edit(third)
    simulator.delete_content_type("category")
    for each in ("blogPost", "product"):
        simulator.edit(simulator.ids(content_type=each)[0])


@pytest.mark.parametrize(
    "types", [*TYPES, "entry_published,entry_unpublished", "asset_deleted,entry_deleted", ",".join(TYPES)]
)
def test_a_stream_of_some_types_holds_only_those(
    simulator: Simulator, store: MemoryStore, follow: Follow, types: str
) -> None:
    """Each of the seven, and combinations: in the initial sync and, frozen, in the deltas."""
    following = follow(api_filter={"type": types})
    following.become_current()
    before = len(store.records)
    everything(simulator)
    following.become_current()
    found = {
        f"{event['after' if event['op'] != 'd' else 'before']['entity_type']}_{event['change_type']}"
        for event in events(store.records[before:])
        if event["origin"] == "delta"
    }
    assert found == set(types.split(","))


PARTS: list[tuple[dict[str, str], Callable[[EntityKey, str | None], bool]]] = [
    ({"content_type_uid": "blog_post"}, lambda _key, content_type: content_type == "blog_post"),
    ({"content_type_uid": "sys_assets"}, lambda key, _: key.entity_type == "asset"),
    ({"content_type_uid": "no_such_type"}, lambda _key, _content_type: False),
    ({"locale": "de-de"}, lambda key, _: key.locale == "de-de"),
    (
        {"content_type_uid": "blog_post", "locale": "en-us"},
        lambda key, content_type: (content_type, key.locale) == ("blog_post", "en-us"),
    ),
]


@pytest.mark.parametrize(("api_filter", "wanted"), PARTS, ids=[" ".join(each.values()) for each, _ in PARTS])
def test_a_stream_of_a_part_equals_that_part(
    simulator: Simulator,
    store: MemoryStore,
    follow: Follow,
    api_filter: dict[str, str],
    wanted: Callable[[EntityKey, str | None], bool],
) -> None:
    """A content type, the assets, a locale, and a combination: at first and after every kind of change."""
    following = follow(api_filter=api_filter)
    following.become_current()
    assert rows(latest(seen(store.records))) == truth(simulator, NAME, wanted)
    everything(simulator)
    following.become_current()
    assert rows(latest(seen(store.records))) == truth(simulator, NAME, wanted)


def test_a_stream_from_a_date_on(simulator: Simulator, store: MemoryStore, follow: Follow) -> None:
    """What was last published before it is missing; the parameter is frozen, and affects no later change."""
    start, middle = "1970-01-01T00:00:00.000Z", sorted(each.changed_at for each in simulator.truth(NAME))[40]
    follow(api_filter={"start_from": middle}).become_current()
    later = {each.id for each in simulator.truth(NAME) if each.changed_at >= middle}
    assert {key.id for key in latest(seen(store.records))} == later
    assert len(later) < len({each.id for each in simulator.truth(NAME)})
    old = next(each for each in simulator.truth(NAME) if start < each.changed_at < middle and each.id not in later)
    simulator.edit(old.id)
    follow(api_filter={"start_from": middle}).become_current()
    assert old.id in {key.id for key in latest(seen(store.records))}


def test_a_branch_is_followed_or_refused_by_name(simulator: Simulator, store: MemoryStore, follow: Follow) -> None:
    """The header goes with every request; a missing branch stops the stream, and the hint names it."""
    follow(branch="main").become_current()
    assert {request.headers.get("branch") for request in simulator.requests(NAME)} == {"main"}
    assert_right(simulator, NAME, store.records)
    other = Told(simulator, NAME, lambda: MemoryStore(connection=CONNECTION), branch="elsewhere").catch_up()
    assert other.outcome == "stopped"
    assert "branch" in other.status.error + other.status.hint


def test_older_removals_leave_live_entities_alone(simulator: Simulator, store: MemoryStore, follow: Follow) -> None:
    """The first delta after an initial sync may report what was removed earlier and has been published again."""
    simulator.set_quirks(NAME, ["older_removals"])
    again, twice, gone, *_ = simulator.ids()
    simulator.unpublish(again)
    simulator.publish(id=again)
    simulator.delete(twice, locale="de-DE")
    simulator.edit(twice, locales=["de-DE"])
    simulator.delete(gone)
    live = len(simulator.truth(NAME))
    following = follow()
    following.become_current()
    following.become_current()
    # Everything live, and seven removals: of three locales, of one, of three.
    assert sum(request.items for request in simulator.requests(NAME)) >= live + 7
    assert_right(simulator, NAME, store.records)
    everything(simulator)
    following.become_current()
    assert_right(simulator, NAME, store.records)


def test_a_page_size_that_is_ignored_does_no_harm(simulator: Simulator, store: MemoryStore, follow: Follow) -> None:
    """Pages may have any length."""
    simulator.set_quirks(NAME, ["own_page_size"])
    following = follow(page_size=3)
    following.become_current()
    assert max(request.items for request in simulator.requests(NAME)) == 10
    everything(simulator)
    following.become_current()
    assert_right(simulator, NAME, store.records)


def test_the_url_of_a_reference_leads_to_the_entity(simulator: Simulator) -> None:
    """What `oversized = "reference"` publishes can be fetched: entries and assets, by locale."""
    vendor = connect(simulator, NAME, base_url=HOME)
    stack = simulator._stage(NAME).front_end.connection()
    headers = {"api_key": stack["api_key"], "access_token": stack["token"]}
    with httpx.Client(headers=headers, transport=Loopback(simulator)) as client:
        for live in simulator.truth(NAME):
            key = EntityKey(CONNECTION, live.entity_type, live.id, live.locale)
            answer = client.get(vendor.locate(key, live.content_type))
            assert answer.status_code == 200, answer.text
            assert live.fields is not None
            assert answer.content == b'{"%s":%s}' % (live.entity_type.encode(), live.fields)
