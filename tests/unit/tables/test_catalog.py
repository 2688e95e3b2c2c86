"""The tables of a connection: what is kept of them, what a model changes, and what events write."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from connector.errors import MalformedItem, ModelOutdated, ModelRefused, StateTooNew
from connector.events import codec
from connector.events.envelope import Event, Op
from connector.events.policy import Policy
from connector.events.record import Record
from connector.events.table_rows import TableRows
from connector.model.change import Change, EntityKey
from connector.model.content_model import ContentModel, ContentType
from connector.tables.catalog import LOCALES_KEY, TABLE_KEY, TYPE_KEY, Catalog, check_model, is_model
from connector.tables.columns import Options
from tests.memory import Stream
from tests.unit.tables.models import DE, EN, entry, field, post
from tests.values import CONNECTION, published, removed

NOTHING: frozenset[str] = frozenset()
MODEL = ContentModel(content_types=(post(field("title"), field("stock", "integer")),), locales=(EN, DE))


def described(raw: bytes) -> ContentType:
    """Return what a raw item of this test says: the names of its fields."""
    if not raw.startswith(b"["):
        raise MalformedItem("the content type has no list of fields")
    return post(*map(field, json.loads(raw)))


def made(model: ContentModel | None = MODEL, **options: Any) -> Catalog:
    """Return a catalog that follows a model."""
    settings = {name: options.pop(name) for name in ("localized", "own_members", "chosen") if name in options}
    catalog = Catalog(CONNECTION, Options(**options), described, **settings)
    if model:
        catalog.adopt(catalog.plan(model))
    return catalog


def kept(catalog: Catalog, *models: ContentModel) -> dict[bytes, bytes]:
    """Return the state after these models."""
    state: dict[bytes, bytes | None] = {}
    for model in models:
        plan = catalog.plan(model)
        state |= plan.state
        catalog.adopt(plan)
    return {key: value for key, value in state.items() if value is not None}


def event(change: Change, sequence: int = 7) -> Event:
    """Return the event that publishes a change."""
    op: Op = "d" if change.change_type != "published" else "c"
    return Event(change, None, op, "delta", sequence, "e" * 32, 1_750_000_000_000, "false", None)


def written(catalog: Catalog, change: Change, live: frozenset[str] = NOTHING) -> TableRows:
    """Return what an event writes."""
    found = catalog.rows(event(change), live)
    assert found is not None
    return found


def test_what_is_kept_is_all_that_a_restart_needs() -> None:
    """Restored from its state records, a catalog is ready, and another plan for the same model changes nothing."""
    state = kept(made(None), MODEL)
    assert {LOCALES_KEY, TYPE_KEY + b"post", TABLE_KEY + b"post", TABLE_KEY + b"_asset"} < state.keys()
    assert all(map(is_model, state))
    again = made(None)
    again.restore(state)
    assert again.ready
    assert again.plan(MODEL).state == {}
    change = entry({"title": {"en-US": "Hi", "de-DE": "Hallo"}})
    assert written(again, change) == written(made(), change)


def test_a_plan_has_what_a_model_changes_alone() -> None:
    """The type, its layout and its schema; of a type that is gone, only the type: its table still has rows."""
    catalog = made()
    plan = catalog.plan(ContentModel(content_types=(post(field("title"), field("lead")),), locales=(EN, DE)))
    assert plan.state.keys() == {TYPE_KEY + b"post", TABLE_KEY + b"post"}
    assert plan.schemas.keys() == {"post"}
    assert '"lead"' in plan.schemas["post"]
    assert catalog.plan(replace(MODEL, content_types=())).state == {TYPE_KEY + b"post": None}


def test_without_a_model_nothing_is_ready() -> None:
    """Neither is a catalog with other options than those its layouts were made with."""
    assert not made(None).ready
    other = made(None, locales=("en-US",))
    other.restore(kept(made(None), MODEL))
    assert not other.ready


def test_an_event_writes_a_row_for_each_locale() -> None:
    """Under the event's key with the row's locale; a locale that it no longer has loses its row."""
    found = written(made(), entry({"title": {"en-US": "Hi"}}), frozenset({"en-US", "de-DE"}))
    assert [(key.locale, value is None) for key, value in found.rows] == [("en-US", False), ("de-DE", True)]
    assert found.table == "post"
    assert found.live == {"en-US"}


def test_a_removal_deletes_the_rows_there_are() -> None:
    """Also of a content type that is gone; nothing without rows."""
    catalog = made()
    catalog.adopt(catalog.plan(replace(MODEL, content_types=())))
    gone = replace(removed(), content_type="post")
    found = written(catalog, gone, frozenset({"en-US", "de-DE"}))
    assert [(key.locale, value) for key, value in found.rows] == [("de-DE", None), ("en-US", None)]
    assert catalog.rows(event(gone), NOTHING) is None


def test_a_field_that_the_model_lacks_is_asked_for_once() -> None:
    """If the newest model lacks it too, the row is written without it."""
    catalog, change = made(), entry({"title": {"en-US": "Hi"}, "lead": {"en-US": "x"}})
    with pytest.raises(ModelOutdated) as caught:
        written(catalog, change)
    assert caught.value.unknown == {("post", "lead")}
    catalog.confirm(caught.value)
    assert len(written(catalog, change).rows) == 1


def test_the_same_of_items_of_one_locale() -> None:
    """Members that every entry has are not asked for."""
    catalog = made(localized=True, own_members=frozenset({"uid"}))
    assert len(written(catalog, entry({"title": "Hi", "uid": "x"}, "en-US")).rows) == 1
    with pytest.raises(ModelOutdated):
        written(catalog, entry({"title": "Hi", "lead": "x"}, "en-US"))


def test_an_entry_of_an_unknown_type_has_no_row() -> None:
    """The model is asked for first; then it is a misfit, and what rows there were stay."""
    catalog, change = made(), replace(entry({}), content_type="other")
    with pytest.raises(ModelOutdated) as caught:
        written(catalog, change)
    catalog.confirm(caught.value)
    found = written(catalog, change, frozenset({"en-US"}))
    assert not found.rows
    assert found.live == {"en-US"}
    assert len(found.misfits) == 1


def test_a_misfit_names_column_and_locale_and_no_content() -> None:
    """The other rows are written."""
    found = written(made(), entry({"title": {"en-US": "Hi"}, "stock": {"en-US": "secret", "de-DE": 3}}))
    assert len(found.misfits) == 1
    assert "stock" in found.misfits[0]
    assert "en-US" in found.misfits[0]
    assert "secret" not in found.misfits[0]
    assert [key.locale for key, _ in found.rows] == ["de-DE"]


def test_a_content_type_that_a_stream_delivers_is_followed_first() -> None:
    """Its row is then written in its own table; an earlier version, read again, is not followed again."""
    catalog = made()
    old, new = (_content_type(names, second) for names, second in ((["title"], 1), (["title", "lead"], 2)))
    with pytest.raises(ModelOutdated) as caught:
        written(catalog, new)
    assert caught.value.item == new.raw
    catalog.adopt(catalog.plan(catalog.with_type(new.raw)))
    assert [(key.locale, value is None) for key, value in written(catalog, new).rows] == [("*", False)]
    assert len(written(catalog, old).rows) == 1


def test_a_content_type_that_cannot_be_read_is_a_misfit() -> None:
    """Nothing else is known of it."""
    change = replace(_content_type([], 1), raw=b"{}")
    assert "no list of fields" in written(made(), change).misfits[0]


def _locale(code: str) -> Change:
    return replace(entry({}), key=EntityKey(CONNECTION, "locale", code, "*"))


def test_a_locale_is_a_row_of_its_own_table() -> None:
    """What the model says of it, whatever the options; one that the model lacks is a misfit."""
    catalog = made(locales=("en-US", "de-DE"), model=replace(MODEL, locales=(EN, replace(DE, fallback="en-US"))))
    found = written(catalog, _locale("de-DE"))
    ((key, value),) = found.rows
    assert (found.table, key.id, key.locale, found.live) == ("_locale", "de-DE", "*", frozenset({"*"}))
    row = codec.decode_by(found.schema, value or b"")
    said = {name: row[name] for name in ("code", "name", "default", "fallback")}
    assert said == {"code": "de-DE", "name": DE.name, "default": False, "fallback": "en-US"}
    assert "lacks this locale" in written(catalog, _locale("fr-FR")).misfits[0]


def test_types_that_are_not_chosen_have_no_table() -> None:
    """Nothing is registered for them."""
    assert made(None, chosen=frozenset({"author"})).plan(MODEL).schemas.keys() == {
        "_asset",
        "_content_type",
        "_locale",
    }


def test_two_types_whose_tables_would_be_one_are_refused() -> None:
    """Also if one of them has been deleted: its table is still there."""
    twin = ContentType(id="Post", name="Post", fields=(field("title"),))
    with pytest.raises(ModelRefused, match="only case tells them apart"):
        made(None).plan(replace(MODEL, content_types=(*MODEL.content_types, twin)))
    with pytest.raises(ModelRefused, match="only case tells them apart"):
        made().plan(replace(MODEL, content_types=(twin,)))


@pytest.mark.parametrize("key", [LOCALES_KEY, TYPE_KEY + b"post", TABLE_KEY + b"post"])
def test_other_records_are_told_apart(key: bytes) -> None:
    """What a later release wrote is said to be that; anything else is a value error."""
    check_model(key, kept(made(None), MODEL)[key])
    with pytest.raises(StateTooNew):
        check_model(key, b"\x04")
    with pytest.raises(ValueError, match=r"."):
        check_model(key, b"\x02\x02{")


def _content_type(names: list[str], second: int) -> Change:
    key = EntityKey(CONNECTION, "content_type", "post", "*")
    return replace(published(second=second), key=key, content_type=None, raw=json.dumps(names).encode())


def test_an_entry_that_comes_back_as_something_else_leaves_no_row_behind() -> None:
    """Deleted and created again under its id between two polls: its rows of the former table are deleted."""
    page = replace(post(field("title")), id="page")
    stream = Stream(tables=made(ContentModel(content_types=(page, post(field("title"))), locales=(EN,))))
    title = b'{"title":{"en-US":"a"}}'
    stream.publish(published(second=1, fields=title))
    again = stream.publish(published(second=2, fields=title, content_type="page"))
    rows = [(record.topic, record.value is None) for record in again if ".table." in record.topic]
    assert rows == [("contentwire.blog.table.post", True), ("contentwire.blog.table.page", False)]
    gone = stream.publish(removed(second=3))
    assert [record.topic for record in gone if ".table." in record.topic] == ["contentwire.blog.table.page"]


def locales(records: list[Record], topics: str) -> list[str]:
    """Return the locales of the keys of records, in topics with this in their names."""
    return [codec.decode_key(codec.unframe(each.key or b"")[1]).locale for each in records if topics in each.topic]


def test_a_row_that_is_withheld_holds_no_other_back() -> None:
    """Where each locale is an item of its own, those of the others are published, and republished, with their rows."""
    whole = ContentModel(content_types=(post(field("title")),), locales=(EN, DE))
    stream = Stream(Policy(republish="all"), tables=made(whole, localized=True))
    items = [
        published(second=second, locale=locale, fields=json.dumps({"title": title}).encode())
        for second, (locale, title) in enumerate({"fr-FR": "\0", "de-DE": "a", "en-US": "b"}.items(), 1)
    ]
    stream.publish(*items)
    stream.move_to("snapshot", epoch=2)
    again = stream.publish(*items)
    assert locales(again, ".changes") == ["fr-FR", "de-DE", "en-US"]
    assert locales(again, ".table.") == ["de-DE", "en-US"]


def test_rows_of_a_table_that_never_was_are_none() -> None:
    """A content type that came and went while there were no tables has no schema to delete with."""
    catalog = made()
    gone = Event(removed(content_type="ghost"), None, "d", "delta", 1, "", 0, "false", None)
    assert catalog.rows(gone, frozenset({"en-US"})) is None
