"""Typed tables under any sequence of model edits: every schema reads all earlier rows, and no value is ever bent."""

import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import avro.io
import avro.schema
import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from connector.events import codec
from connector.model.change import Change
from connector.model.content_model import ContentType, Field, FieldKind
from connector.model.core import CORE
from connector.model.timestamp import micros
from connector.tables import schema
from connector.tables.columns import Column, Evolution, Layout, Locales, Options, evolve
from connector.tables.rows import Rows, Table
from tests.unit.tables.models import AT, DE, EMPTY, EN, STAMP, entry, post

CODES = ("en-US", "de-DE", "de-AT")
IDS = ("f1", "f2", "f3")
NAMES = ("title", "Title", "price", "größe-2", "a__b", "_locale")

texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=5)
links = st.sampled_from(["e1", "e2"]).map(lambda id_: {"sys": {"type": "Link", "linkType": "Entry", "id": id_}})
numbers = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?[1-9][0-9]{0,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
places = st.fixed_dictionaries({"lat": st.floats(-90, 90), "lon": st.floats(-180, 180)})
dates = st.one_of(st.datetimes().map(lambda at: f"{at.isoformat()}Z"), st.dates().map(str), texts)
VALUES: dict[FieldKind, st.SearchStrategy[str]] = {
    "text": texts.map(json.dumps),
    "integer": st.integers(-(2**63), 2**63 - 1).map(str),
    "number": numbers,
    "boolean": st.booleans().map(json.dumps),
    "date": dates.map(json.dumps),
    "location": places.map(json.dumps),
    "link": links.map(json.dumps),
    "links": st.lists(links, max_size=2).map(json.dumps),
    "texts": st.lists(texts, max_size=2).map(json.dumps),
    "json": st.one_of(numbers, texts.map(json.dumps), st.sampled_from(['{ "a" : [ 1e999 ] }', '["\\ud83d"]', "[]"])),
}
"""The JSON of values of each kind."""

SPELLINGS = st.sampled_from(
    [
        *(
            r'"\u00e9\/\b\f\n\r\t\"\\"',
            r'"\u0000"',
            r'"\ud83d\ude00"',
            r'"\ud800"',
            '"é 日本"',
            '""',
            "null",
            "true",
            "[]",
            "{}",
        ),
        *(
            "0",
            "-0",
            "-5",
            "5.0",
            "1.50",
            "-1.50",
            "1e3",
            "10E-1",
            "1e400",
            "123456789012345",
            "9007199254740993",
            "1.1e0",
        ),
        *('"2024-05-05T05:05:05.123Z"', '"2024-05-05T05:05:05Z"', '"2024-05-05"', '"1969-12-31T23:59:59.999Z"'),
        *(
            '{"lat":1,"lon":2.5}',
            '{"latitude":-1.5,"longitude":2}',
            '{"lat":1,"lat":2,"lon":3}',
            '{"lat":null,"lon":1}',
        ),
        *('{"lat":0.1,"latitude":2,"lon":3,"x":[]}', '{"lat":1}', '{"lat":"1","lon":2}', '{"lat":1e1,"lon":2}'),
        *('{"uid":"a1"}', '{"uid":""}', '{"uid":"a","uid":"b"}', '[{"uid":"a1","_content_type_uid":"p"}]', '["e1",""]'),
        *('{"sys":{"id":"e1","urn":"u"}}', '{"sys":{"urn":"u"}}', '{"sys":null,"uid":"a"}', '{"sys":{"id":1}}', '"e1"'),
        *('{"sys":{"id":"e1","id":"e2"}}', '{"sys":{"id":"e\\u0031"}}', '{"sys":{"id":"e1"},"uid":5}', '[["e1"]]'),
    ]
)
"""JSON that a writer of another mind may send for any of them."""

kinds = st.sampled_from(list(VALUES))
any_value = kinds.flatmap(VALUES.__getitem__) | st.just("null")


@st.composite
def fields(draw: st.DrawFn) -> tuple[Field, ...]:
    """Draw some fields in any order: of one id in two models, anything but the id may differ."""
    ids = draw(st.lists(st.sampled_from(IDS), unique=True))
    names = draw(st.permutations(NAMES))
    return tuple(
        Field(id=id_, name=name, kind=(kind := draw(kinds)), type=kind, localized=draw(st.booleans()))
        for id_, name in zip(ids, names, strict=False)
    )


@st.composite
def contents(draw: st.DrawFn, model: ContentType) -> dict[str, dict[str, str]]:
    """Draw the JSON of an entry's values by field and locale: mostly of their field's kind."""
    said = {}
    for field in model.fields:
        codes = draw(st.lists(st.sampled_from(CODES), unique=True)) if field.localized else CODES[:1]
        said[field.name] = {code: draw(VALUES[field.kind] | VALUES[field.kind] | any_value) for code in codes}
    return said


def written(said: dict[str, dict[str, str]], *, flat: bool) -> bytes:
    """Return the fields of an item that says so, each value to the letter; a flat one says the default locale's."""
    if flat:
        return ("{" + ",".join(f"{json.dumps(name)}:{by[EN.code]}" for name, by in said.items() if by) + "}").encode()
    maps = {
        name: "{" + ",".join(f"{json.dumps(code)}:{raw}" for code, raw in by.items()) + "}" for name, by in said.items()
    }
    return ("{" + ",".join(f"{json.dumps(name)}:{by}" for name, by in maps.items()) + "}").encode()


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Layout, ContentType, Options, dict[str, dict[str, str]], Rows]]:
    """Draw states of a content type, with an entry that is published under each."""
    locales: Locales = draw(st.sampled_from(["rows", "default", CODES[:2]]))
    flat, found, layout = locales in ("rows", "default") and draw(st.booleans()), [], EMPTY
    for _ in range(draw(st.integers(1, 4))):
        evolution: Evolution = draw(st.sampled_from(["column", "json"]))
        options, model = Options(locales=locales, evolution=evolution), post(*draw(fields()))
        layout = evolve(layout, model, options)
        said = draw(contents(model))
        if flat:
            said = {name: {code: raw for code, raw in by.items() if code == EN.code} for name, by in said.items()}
        change = entry(written(said, flat=flat), EN.code if flat else "*")
        rows = Table(layout, model, options, (EN, DE, AT), localized=flat).rows(change, STAMP)
        found.append((layout, model, options, said, rows))
    return found


@st.composite
def publications(draw: st.DrawFn) -> tuple[Table, Change]:
    """Draw a table, which may have been another one, and an entry of it with values in any spelling."""
    locales: Locales = draw(st.sampled_from(["rows", "default", CODES[:2]]))
    flat, layout, options = locales in ("rows", "default") and draw(st.booleans()), EMPTY, Options(locales=locales)
    for _ in range(draw(st.integers(1, 2))):
        model = post(*draw(fields()))
        layout = evolve(layout, model, options)
    said = {
        name: {code: draw(st.just(raw) | SPELLINGS) for code, raw in by.items() if code == EN.code or not flat}
        for name, by in draw(contents(model)).items()
    }
    table = Table(layout, model, options, (EN, DE, AT), localized=flat)
    return table, entry(written(said, flat=flat), EN.code if flat else "*")


@pytest.mark.skipif(CORE is None, reason="the compiled core is not built here")
@given(publications(), st.sets(st.sampled_from(CODES)))
@settings(max_examples=200)
def test_the_core_writes_the_same_rows(publication: tuple[Table, Change], live: set[str]) -> None:
    """Whatever the values are, and however they are spelt."""
    table, change = publication
    assert table.rows(change, STAMP, frozenset(live)) == table.in_python(change, STAMP, frozenset(live))


def columns_of(text: str, body: bytes, reader: str | None = None) -> dict[str, Any]:
    """Return a row as fastavro reads it, with timestamps as numbers."""
    if reader is None:
        return codec.decode_by(text, body)
    plain = [json.loads(each.replace(',"logicalType":"timestamp-millis"', "")) for each in (text, reader)]
    parsed = [fastavro.parse_schema(each) for each in plain]
    return dict(fastavro.schemaless_reader(io.BytesIO(body), *parsed))  # type: ignore[arg-type]


@given(histories())
def test_every_schema_reads_all_earlier_rows(history: Any) -> None:
    """A newer schema's column says what the row said in it, null where the row knew none: BACKWARD, transitively."""
    texts_ = [schema.text(layout) for layout, *_ in history]
    for number, (_, _, _, _, rows) in enumerate(history):
        for row in rows.rows:
            own = columns_of(texts_[number], row.value)
            for later in texts_[number:]:
                names = [each["name"] for each in json.loads(later)["fields"]]
                assert columns_of(texts_[number], row.value, later) == {name: own.get(name) for name in names}
                assert own.keys() <= set(names)


@given(histories())
@settings(max_examples=50)
def test_apaches_implementation_reads_all_earlier_rows(history: Any) -> None:
    """As the consumers' libraries do, which know no other implementation."""
    newest = avro.schema.parse(schema.text(history[-1][0]))
    for layout, _, _, _, rows in history:
        older = avro.schema.parse(schema.text(layout))
        for row in rows.rows:
            found: Any = avro.io.DatumReader(older, newest).read(avro.io.BinaryDecoder(io.BytesIO(row.value)))
            assert found["_entity_id"] == "e1"


@given(histories())
def test_rows_are_the_bytes_that_fastavro_writes(history: Any) -> None:
    """Byte by byte, for every schema."""
    for layout, _, _, _, rows in history:
        text = schema.text(layout)
        parsed = fastavro.parse_schema(json.loads(text.replace(',"logicalType":"timestamp-millis"', "")))
        for row in rows.rows:
            out = io.BytesIO()
            fastavro.schemaless_writer(out, parsed, columns_of(text, row.value))
            assert out.getvalue() == row.value


@given(histories())
def test_a_layout_survives_its_record(history: Any) -> None:
    """What an owner wrote, the next one continues from."""
    for layout, *_ in history:
        assert schema.decode(schema.encode(layout)) == layout


@given(histories())
@settings(max_examples=200)
def test_no_value_is_ever_bent(history: Any) -> None:
    """Each value of a row is equal to the JSON's, or stands in a column of text as it is written."""
    for layout, model, options, said, rows in history:
        for row in rows.rows:
            cells = columns_of(schema.text(layout), row.value)
            for field in model.fields:
                for column_locale, raw in expected(field, options.locales, said[field.name], row.key.locale):
                    own = [each for each in layout.columns if (each.field, each.locale) == (field.id, column_locale)]
                    assert faithful(own, cells, raw), (field, raw, cells)


@given(histories())
def test_a_row_is_missing_only_with_a_misfit(history: Any) -> None:
    """Every locale is written, or reported with its column."""
    for layout, _, options, said, rows in history:
        if options.locales == "rows":
            delivered = {code for by in said.values() for code in by} or {EN.code}
            missing = delivered - {row.key.locale for row in rows.rows}
            broken = {misfit.locale for misfit in rows.misfits}
            assert missing == (delivered if None in broken else broken)
        assert {misfit.column for misfit in rows.misfits} <= {column.name for column in layout.columns}


def expected(field: Field, mode: Locales, by: dict[str, str], row: str) -> Iterator[tuple[str | None, str]]:
    """Yield what the row of a locale has of a field: the locale of its columns, and the JSON."""
    if field.localized and isinstance(mode, tuple):
        yield from ((code, by.get(code, "null")) for code in mode)
    else:
        yield None, by.get(row if field.localized and mode == "rows" else EN.code, "null")


def faithful(columns: list[Column], cells: dict[str, Any], raw: str) -> bool:
    """Return whether the columns of one kind of a field say what the JSON does, and those of the others nothing."""
    groups: dict[FieldKind, list[Column]] = {}
    for column in columns:
        groups.setdefault(column.kind, []).append(column)
    found = {kind: [cells[column.name] for column in group] for kind, group in groups.items()}
    filled = {kind: values for kind, values in found.items() if values != [None] * len(values)}
    if not filled:
        return raw in ("null", '""', "[]")
    (kind, values), *others = filled.items()
    return not others and _says(kind, values, raw)


def _says(kind: FieldKind, values: list[Any], raw: str) -> bool:
    value = json.loads(raw, parse_float=Decimal, parse_int=Decimal, parse_constant=None)
    if kind == "json":
        return values == [raw]
    if kind in ("number", "date"):
        return _says_or_spells(kind, values, value if isinstance(value, str) else raw)
    if kind == "location":
        return all(Decimal(repr(found)) == value[name] for found, name in zip(values, ("lat", "lon"), strict=True))
    if kind in ("link", "links"):
        one = [
            each if isinstance(each, str) else each["sys"]["id"]
            for each in (value if isinstance(value, list) else [value])
        ]
        return one == (values[0] if kind == "links" else values)
    return bool(values[0] == value and isinstance(values[0], bool) == isinstance(value, bool))


def _says_or_spells(kind: FieldKind, values: list[Any], text: str) -> bool:
    if values[0] is None:
        return bool(values[1] == text)
    if kind == "date":
        return values == [(micros(text) or 0) // 1000, text]
    return values[1] is None and Decimal(repr(values[0])) == Decimal(text)


def test_a_retyped_field_is_read_as_it_was() -> None:
    """The example of the document: `price` was a whole number, and becomes a text."""
    before, after = (post(Field(id="p", name="price", kind=kind, type=kind)) for kind in ("integer", "text"))
    first = evolve(EMPTY, before, Options())
    second = evolve(first, after, Options())
    old = Table(first, before, Options(), (EN,), localized=False).rows(entry({"price": {"en-US": 5}}), STAMP).rows[0]
    new = (
        Table(second, after, Options(), (EN,), localized=False)
        .rows(entry({"price": {"en-US": "5 EUR"}}), STAMP)
        .rows[0]
    )
    read = [
        columns_of(schema.text(first), old.value or b"", schema.text(second)),
        columns_of(schema.text(second), new.value or b""),
    ]
    assert [(row["price"], row["price__2"]) for row in read] == [(5, None), (None, "5 EUR")]
    assert replace(old.key, locale="*") == entry({}).key
