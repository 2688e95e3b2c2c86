"""A layout's schema, and its record in the state topic."""

import json
from typing import Any

import avro.schema
import pytest
from msgspec.structs import replace

from connector.errors import StateTooNew
from connector.tables import schema
from tests.avro_spec import long, string
from tests.unit.tables.models import EMPTY, field, layout_of, post

PRICES = (post(field("price", "integer")), post(field("price", "number")))


def docs(*models: object, locales: object = "rows") -> dict[str, str]:
    """Return the documentation of the fields' columns, by name."""
    found = json.loads(schema.text(layout_of(*models, locales=locales)))  # type: ignore[arg-type]
    return {each["name"]: each["doc"] for each in found["fields"] if not each["name"].startswith("_")}


def test_the_schema_is_compact_and_in_javas_order() -> None:
    """Registries whose ids follow the bytes give a Java serializer the same id."""
    text = schema.text(
        layout_of(post(field("title"), field("on", "date"), field("tags", "texts"), field("body", "json")))
    )
    assert text.startswith(
        '{"type":"record","name":"post","namespace":"contentwire.table.blog","doc":"Blog post","fields":['
        '{"name":"title","type":["null","string"],"doc":"title (Text)","default":null},'
        '{"name":"on","type":["null",{"type":"long","logicalType":"timestamp-millis"}],'
        '"doc":"on (Date)","default":null},'
        '{"name":"on__text","type":["null","string"],"doc":"on (Date), as text","default":null},'
        '{"name":"tags","type":["null",{"type":"array","items":"string"}],"doc":"tags (Texts)","default":null},'
        '{"name":"body","type":["null",{"type":"string","connect.name":"io.debezium.data.Json"}],'
        '"doc":"body (Json)","default":null},'
        '{"name":"_entity_id","type":"string","doc":"The entity\'s id."},'
    )
    assert text == json.dumps(json.loads(text), separators=(",", ":"))


def test_each_row_says_where_it_comes_from() -> None:
    """The columns that every table ends with: those that are always known are never null."""
    parsed: Any = avro.schema.parse(schema.text(EMPTY))
    assert {each.name: each.type.type for each in parsed.fields} == {
        "_entity_id": "string",
        "_locale": "string",
        "_revision": "union",
        "_published_at": "union",
        "_created_at": "union",
        "_updated_at": "union",
        "_sequence": "long",
        "_event_id": "string",
        "_op": "string",
    }


def test_a_column_documents_the_vendors_name() -> None:
    """And its type, what of a value it holds, and for which locale."""
    assert docs(post(field("größe", "number", id="f1")), post(field("preis-neu", "number", id="f1"))) == {
        "gr_xf6_xdfe": "preis-neu (Number)",
        "gr_xf6_xdfe__text": "preis-neu (Number), as text, where a double would be another number",
    }
    assert docs(post(field("at", "location")), locales=("de-DE",)) == {
        "at__de_DE__lat": "at (Location), latitude in degrees, in de-DE",
        "at__de_DE__lon": "at (Location), longitude in degrees, in de-DE",
    }


def test_a_column_documents_a_change_of_type() -> None:
    """Both say so, and the new one names the old."""
    found = docs(*PRICES)
    assert found["price"] == "price (Integer): values of an earlier type"
    assert found["price__2"] == "price (Number): the field changed its type, values of earlier ones are in price"


def test_every_writer_spells_the_documentation_alike() -> None:
    """Control characters in a vendor's name would be escaped in different ways."""
    assert docs(post(field("a\x1f\ud800b"))) == {"a_x1f_ud800b": "a\ufffd\ufffdb (Text)"}


def test_a_layout_is_kept_in_a_record() -> None:
    """Bytes that begin with their version, and the same layout again."""
    layout = layout_of(*PRICES, locales=("de-DE",))
    written = schema.encode(layout)
    assert written.startswith(long(schema.LAYOUT_VERSION) + string("contentwire.table.blog.post") + string("Blog post"))
    assert schema.decode(written) == layout


def test_a_newer_record_is_refused() -> None:
    """By a named error: an older release must not lose columns."""
    newer = long(schema.LAYOUT_VERSION + 1) + schema.encode(EMPTY)[1:]
    with pytest.raises(StateTooNew):
        schema.decode(newer)


@pytest.mark.parametrize("value", [schema.encode(EMPTY)[:-1], long(1) + b"\xff"])
def test_other_bytes_are_refused(value: bytes) -> None:
    """What is no layout is an error, never a guess."""
    with pytest.raises(ValueError, match="not a record"):
        schema.decode(value)


def test_a_name_of_a_kind_that_nobody_knows_is_refused() -> None:
    """A layout is read completely or not at all."""
    layout = layout_of(post(field("title")))
    strange = replace(layout, columns=(replace(layout.columns[0], kind="music"),))
    with pytest.raises(ValueError, match="music"):
        schema.decode(schema.encode(strange))
