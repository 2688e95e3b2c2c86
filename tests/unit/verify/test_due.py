"""The rows that tables must hold: by the recorded model, the CMS's own, and every type that a field has had."""

import json
from functools import partial
from typing import Any

import httpx
import pytest

from connector.errors import MalformedItem, ModelRefused
from connector.events import codec
from connector.model.change import Change
from connector.model.content_model import ContentModel, ContentType
from connector.model.model_page import ListedModel, ModelFrame, ModelKind, ModelPage, ModelPart, ModelPosition
from connector.tables import schema
from connector.tables.catalog import Catalog
from connector.tables.columns import Layout, Options
from connector.tables.rows import Stamp, Table
from connector.verify.due import DueRows
from connector.verify.rows import differing, held
from tests.unit.tables.models import DE, EN, entry, field, post
from tests.values import CONNECTION, published

BOTH: frozenset[ModelKind] = frozenset({"content_type", "locale"})
TITLED = post(field("title"), field("stock", "integer"))


class Reader:
    """Reads content types as this test writes them: JSON of a field's names and kinds."""

    def request(self, after: ModelPosition | None) -> httpx.Request | None:
        """Return None: this API lists nothing."""
        return None

    def frame(self, response: httpx.Response, after: ModelPosition | None) -> ModelFrame:
        """Never called."""
        raise NotImplementedError

    def read(self, frame: ModelFrame) -> ModelPage:
        """Return the content types of a frame."""
        return ModelPage(tuple(ModelPart(_described(raw), published()) for raw in frame.raws))


def _described(raw: bytes) -> ContentType:
    try:
        return post(*(field(name, kind) for name, kind in json.loads(raw).items()))
    except ValueError as error:
        raise MalformedItem("no content type") from error


def listed(*types: ContentType, complete: frozenset[ModelKind] = BOTH) -> ListedModel:
    """Return a model as an API lists it."""
    parts = [ModelPart(each, published(each.id)) for each in types]
    locales = [ModelPart(each, published(each.code)) for each in (EN, DE)]
    return ListedModel(parts=(*parts, *locales), complete=complete)


def recorded(*models: ContentModel, options: Options) -> dict[bytes, bytes]:
    """Return the state after these models."""
    catalog, state = made(options), dict[bytes, bytes | None]()
    for model in models:
        plan = catalog.plan(model)
        state |= plan.state
        catalog.adopt(plan)
    return {key: value for key, value in state.items() if value is not None}


def made(options: Options) -> Catalog:
    """Return tables of which nothing is known."""
    return Catalog(CONNECTION, options, _described)


def rows_of(*types: ContentType, longest: int = 10**6, **options: Any) -> DueRows:
    """Return what makes rows, with these states of a content type recorded, one after the other."""
    chosen = Options(**options)
    models = [ContentModel(content_types=(each,), locales=(EN, DE)) for each in types]
    return DueRows(made, chosen, partial(recorded, *models, options=chosen), Reader(), longest)


def written(layout: Layout, of: ContentType, change: Change, locale: str) -> Any:
    """Return a row as a stream wrote it while it had this layout and content type."""
    rows = Table(layout, of, Options(), (EN, DE), localized=False).rows(change, Stamp("e" * 32, 7, "c")).rows
    (body,) = [row.value for row in rows if row.key.locale == locale and row.value]
    return held(codec.decode_by(schema.text(layout), body), schema.text(layout))


def test_an_entity_is_due_a_row_for_each_locale() -> None:
    """In its table, as the stream writes it; columns for locales give one row."""
    made_of = rows_of(TITLED)
    made_of.follow(listed(TITLED))
    change = entry({"title": {"en-US": "Hi", "de-DE": "Hallo"}, "stock": {"en-US": 1}})
    assert made_of.rows(change).keys() == {("post", "en-US"), ("post", "de-DE")}
    one = rows_of(TITLED, locales=("en-US", "de-DE"))
    one.follow(listed(TITLED))
    assert one.rows(change).keys() == {("post", "*")}


def test_a_withheld_row_is_due_in_no_way() -> None:
    """A value fits no column, or the row is too long; the other rows are due as they are."""
    made_of = rows_of(TITLED)
    made_of.follow(listed(TITLED))
    due = made_of.rows(entry({"title": {"en-US": "a\0b", "de-DE": "Hallo"}}))
    assert {locale: len(row.ways) for (_, locale), row in due.items()} == {"en-US": 0, "de-DE": 1}
    short = rows_of(TITLED, longest=200)
    short.follow(listed(TITLED))
    due = short.rows(entry({"title": {"en-US": "a" * 200, "de-DE": "Hallo"}}))
    assert {locale: len(row.ways) for (_, locale), row in due.items()} == {"en-US": 0, "de-DE": 1}


def test_the_model_is_the_cms_s_where_that_is_newer_than_the_recorded_one() -> None:
    """A field that the stream has not heard of yet is due; following says that rows have changed, and only then."""
    made_of, newer = rows_of(TITLED), post(*TITLED.fields, field("lead"))
    assert made_of.follow(listed(TITLED))
    assert not made_of.follow(listed(TITLED))
    assert made_of.follow(listed(newer))
    change = entry({"title": {"en-US": "Hi"}, "lead": {"en-US": "x"}})
    (due,) = made_of.rows(change).values()
    layout = rows_of(TITLED, newer)
    layout.follow(listed(newer))
    assert layout.rows(change) == {("post", "en-US"): due}


def test_what_the_newest_model_lacks_is_left_out() -> None:
    """A field that was removed from it, as in the stream; an entry without a content type has no row that is due."""
    made_of = rows_of(TITLED)
    made_of.follow(listed(TITLED))
    (with_it,) = made_of.rows(entry({"title": {"en-US": "Hi"}, "gone": {"en-US": "x"}})).values()
    (without,) = made_of.rows(entry({"title": {"en-US": "Hi"}})).values()
    assert (with_it.ways, bool(with_it.ways)) == (without.ways, True)
    unknown = made_of.rows(published("e1", content_type="page"))
    assert {row.ways for row in unknown.values()} == {()}


def test_a_locale_that_only_removed_fields_have_may_have_a_row() -> None:
    """Removing a field deletes no row: one from before is right with what is left of it, and none is missing."""
    made_of = rows_of(post(*TITLED.fields, field("lead")), TITLED)
    made_of.follow(listed(TITLED))
    due = made_of.rows(entry({"title": {"en-US": "Hi"}, "lead": {"en-US": "x", "de-DE": "y"}}))
    assert {locale: row.optional for (_, locale), row in due.items()} == {"en-US": False, "de-DE": True}
    assert made_of.rows(entry({"title": {"en-US": "Hi"}})).keys() == {("post", "en-US")}


@pytest.mark.parametrize("evolution", ["column", "json"])
def test_content_from_before_a_change_of_type_is_due_where_it_stands(evolution: Any) -> None:
    """As it was written under each earlier type, and as it would be now."""
    number = post(field("title"), field("stock", "number"))
    made_of = rows_of(TITLED, number, evolution=evolution)
    made_of.follow(listed(number))
    change = entry({"title": {"en-US": "Hi"}, "stock": {"en-US": 5}})
    (due,) = made_of.rows(change).values()
    assert len(due.ways) == 2
    before = made(Options())
    before.adopt(before.plan(ContentModel(content_types=(TITLED,), locales=(EN, DE))))
    layout = before.layouts["post"]
    assert differing(due, written(layout, TITLED, change, "en-US")) == ()
    other = entry({"title": {"en-US": "Hi"}, "stock": {"en-US": 6}})
    assert "stock" in differing(due, written(layout, TITLED, other, "en-US"))[0]


def test_a_content_type_that_is_delivered_among_the_others_is_followed() -> None:
    """By an API that lists none: what was made before it came is outdated, and the next look knows it still."""
    made_of = rows_of(TITLED)
    made_of.follow(listed(complete=frozenset({"locale"})))
    raw = json.dumps({"title": "text", "lead": "text"}).encode()
    kind = published("post", key=type(published().key)(CONNECTION, "content_type", "post", "*"), raw=raw)
    assert made_of.rows(kind).keys() == {("_content_type", "*")}
    assert made_of.outdated
    assert not made_of.follow(listed(complete=frozenset({"locale"})))
    (due,) = made_of.rows(entry({"lead": {"en-US": "x"}})).values()
    assert len(due.ways) == 1


def test_a_model_that_no_table_can_follow_is_refused_as_in_the_stream() -> None:
    """With `stop`, a field that changed its type."""
    made_of = rows_of(TITLED, evolution="stop")
    with pytest.raises(ModelRefused):
        made_of.follow(listed(post(field("title"), field("stock", "text"))))
