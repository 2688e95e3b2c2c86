"""What readers of content models share: lists, fields, entities, and one pass through a model."""

from typing import Any

import httpx
import pytest

from connector.cms import content_model
from connector.cms.content_model import Stamp, gather
from connector.errors import MalformedItem, SourceUnavailable, WalkBroken
from connector.model.change import EntityKey
from connector.model.content_model import ContentType, Field
from connector.model.model_page import ListedModel, ModelFrame, ModelKind, ModelPage, ModelPart, ModelPosition
from connector.model.rawjson import members


class Reader:
    """Reads items that are an id in quotes, with anything after it: `"cat"`, `"cat":1`."""

    def request(self, after: ModelPosition | None) -> None:
        """Ask for nothing."""

    def frame(self, response: httpx.Response, after: ModelPosition | None) -> ModelFrame:
        """Never be asked."""
        raise AssertionError

    def read(self, frame: ModelFrame) -> ModelPage:
        """Return the page."""
        return content_model.read(frame, lambda raw: part(frame.kind, raw))


def part(kind: ModelKind, raw: bytes) -> ModelPart:
    """Return the part that an item becomes."""
    if not raw.startswith(b'"'):
        raise ValueError("not JSON")
    id = raw.split(b'"')[1].decode()  # noqa: A001  one word per thing
    if id == "bad":
        raise MalformedItem("is bad", item_id=id)
    key = content_model.key_of("blog", kind, id)
    return ModelPart(ContentType(id=id), content_model.entity(key, raw, {}, "fields", Stamp()))


def listed(*frames: ModelFrame) -> ListedModel:
    """Return the model in these frames."""
    return gather(Reader(), frames)


def frame(*raws: bytes, total: int | None = None, kind: ModelKind = "content_type", **members: Any) -> ModelFrame:
    """Return a frame of content types."""
    return ModelFrame(kind, list(raws), total=total, **members)


def ids(model: ListedModel) -> list[str]:
    """Return the ids of a model's parts."""
    return [change.key.id for change in model.changes]


def test_a_list_is_cut_into_the_bytes_of_its_items() -> None:
    """Verbatim, beside the values of other members."""
    found = content_model.listed(b'{ "n" : 3, "items": [ {"a" :1.10}, 7 ] , "x": null }', "items", "n", "missing")
    assert found == ([b'{"a" :1.10}', b"7"], [3, None])


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"items":{}}', b'{"items":null}', b'{"n":1}', b'{"items":[]}x'])
def test_a_body_that_is_no_list_is_an_error(body: bytes) -> None:
    """It is worth a retry."""
    with pytest.raises(SourceUnavailable, match="not a list of items"):
        content_model.listed(body, "items", "n")


@pytest.mark.parametrize(
    ("status", "passes"), [(200, False), (401, False), (404, False), (429, True), (408, True), (500, True), (503, True)]
)
def test_a_refusal_is_told_from_trouble(status: int, *, passes: bool) -> None:
    """Only what may pass is worth a retry."""
    assert content_model.passing(httpx.Response(status)) is passes


def test_fields_that_are_not_delivered_are_left_out() -> None:
    """The others keep their order."""

    def describe(described: dict[str, Any]) -> Field | None:
        return Field(id=described["i"], name=described["n"], kind="text", type="t") if "i" in described else None

    found = content_model.fields("cat", b'[{"i":"b","n":"x"},{},{"i":"a","n":"y"}]', describe)
    assert [(field.id, field.name) for field in found] == [("b", "x"), ("a", "y")]
    assert content_model.fields("cat", b"[]", describe) == ()
    assert content_model.titled("x", found) == "x"
    assert content_model.titled("b", found) is content_model.titled({}, found) is None
    for raw in (None, b"null", b"{}", b"[7]", b'[{"i":"","n":"x"}]', b'[{"i":"a","n":""}]'):
        with pytest.raises(MalformedItem) as malformed:
            content_model.fields("cat", raw, describe)
        assert malformed.value.item_id == "cat"
    for raw in (b'[{"i":"a","n":"x"},{"i":"a","n":"y"}]', b'[{"i":"a","n":"x"},{"i":"b","n":"x"}]'):
        with pytest.raises(MalformedItem, match="the same name"):
            content_model.fields("cat", raw, describe)


def test_an_entity_holds_every_byte_of_its_item() -> None:
    """Its fields apart from the rest; values that are no revision or time are none."""
    key = EntityKey("blog", "content_type", "cat", "*")
    raw = b'{"a": 1.0,"fields":[ {} ],"b":{"x" :null}}'
    parts = members(raw)
    change = content_model.entity(key, raw, parts, "fields", Stamp("3", 7, "yesterday"))
    assert (change.raw, change.fields, change.meta) == (raw, b"[ {} ]", b'{"a":1.0,"b":{"x" :null}}')
    assert (change.revision, change.created_at, change.clock) == (None, None, None)
    assert change.updated_at is not None
    assert change.updated_at.text == "yesterday"
    assert "fields" in parts


def test_a_model_is_what_all_answers_hold() -> None:
    """In their order; a list without a total ends where the API says."""
    model = listed(frame(b'"b"', total=2), frame(b'"a"', total=2), frame(b'"en"', kind="locale"))
    assert ids(model) == ["b", "a", "en"]
    assert (model.unread, model.refused) == ((), {})
    assert model.complete == {"content_type", "locale"}


def test_an_empty_model_is_a_model() -> None:
    """An API that lists nothing proves nothing."""
    assert listed() == ListedModel(parts=())
    assert listed(frame(total=0)).complete == {"content_type"}


def test_a_list_that_stops_short_is_not_complete() -> None:
    """Its total says that there is more, or less."""
    assert listed(frame(b'"a"', total=3), frame(total=3)).complete == set()
    assert listed(frame(b'"a"', b'"b"', total=1)).complete == set()


def test_a_total_that_one_answer_leaves_out_is_no_change() -> None:
    """An answer may hold nothing but the way to a smaller page."""
    assert listed(frame(), frame(b'"a"', total=1)).complete == {"content_type"}
    assert listed(frame(b'"a"', total=2), frame(b'"b"')).complete == {"content_type"}


@pytest.mark.parametrize(
    "frames",
    [
        (frame(b'"a"', b'"b"', total=3), frame(b'"b"', total=3)),
        (frame(b'"a"', total=2), frame(b'"b"', total=3)),
        (frame(b'"a"', total=2), frame(total=1)),
        (frame(b'"a"'), frame(b'"a":2')),
    ],
)
def test_a_model_that_changes_meanwhile_is_read_again(frames: tuple[ModelFrame, ...]) -> None:
    """What moved between two answers may have hidden an item."""
    with pytest.raises(WalkBroken, match="changed while it was read"):
        listed(*frames)


def test_the_same_id_in_two_lists_is_not_the_same() -> None:
    """A content type may be called as a locale is."""
    assert ids(listed(frame(b'"en"'), frame(b'"en"', kind="locale"))) == ["en", "en"]


def test_an_item_that_an_answer_repeats_counts_once() -> None:
    """Of two different ones the first does, and the other is reported."""
    model = listed(frame(b'"a"', b'"a"', b'"a":2', b'"b"'))
    assert ids(model) == ["a", "b"]
    (letter,) = model.unread
    assert (letter.raw, letter.item_type, letter.item_id) == (b'"a":2', "content_type", "a")


def test_what_cannot_be_understood_costs_nothing_else() -> None:
    """It is reported with its kind, and its id if that can be read."""
    model = listed(frame(b"7", b'"a"', b'"bad"', total=3), frame(b"8", kind="locale"))
    assert ids(model) == ["a"]
    assert [(letter.raw, letter.item_type, letter.item_id, letter.reason) for letter in model.unread] == [
        (b"7", "content_type", None, "not JSON"),
        (b'"bad"', "content_type", "bad", "is bad"),
        (b"8", "locale", None, "not JSON"),
    ]


def test_a_refused_list_proves_nothing() -> None:
    """The rest of the model is used."""
    model = listed(frame(b'"a"'), frame(kind="locale", refused="answered 403"))
    assert model.refused == {"locale": "answered 403"}
    assert model.complete == {"content_type"}
