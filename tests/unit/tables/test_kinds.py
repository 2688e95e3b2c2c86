"""Values in columns: exact, or refused."""

import json
import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.events import codec
from connector.model.content_model import FieldKind
from connector.tables.kinds import KINDS, DoesNotFit, verbatim
from tests.avro_spec import NULL, SOME, long, some, string

HALF_A_CHARACTER = rb'"\ud83d"'

NUMBERS = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)


def double(value: float) -> bytes:
    """Write a double as the second branch of its union: eight bytes, little endian."""
    return SOME + struct.pack("<d", value)


@pytest.mark.parametrize(
    ("kind", "raw", "written"),
    [
        ("text", b'"\xc3\xa9\\n"', some("é\n")),
        ("text", b'""', some("")),
        ("text", b"null", NULL),
        ("integer", b"5", SOME + long(5)),
        ("integer", b"5.0", SOME + long(5)),
        ("integer", b"1E3", SOME + long(1000)),
        ("integer", b"-9223372036854775808", SOME + long(-(2**63))),
        ("integer", b"9223372036854775807", SOME + long(2**63 - 1)),
        ("integer", b"null", NULL),
        ("number", b"0.1", double(0.1) + NULL),
        ("number", b"-12", double(-12.0) + NULL),
        ("number", b"9007199254740992", double(2.0**53) + NULL),
        ("number", b"9007199254740993", NULL + some("9007199254740993")),
        ("number", b"1.10e2", double(110.0) + NULL),
        ("number", b"1e400", NULL + some("1e400")),
        ("number", b"1e-400", NULL + some("1e-400")),
        ("number", b"0e-400", double(0.0) + NULL),
        ("number", b"0.123456789012345678", NULL + some("0.123456789012345678")),
        ("number", b"null", NULL + NULL),
        ("boolean", b"true", SOME + b"\x01"),
        ("boolean", b"false", SOME + b"\x00"),
        ("boolean", b"null", NULL),
        ("date", b'"1970-01-01T00:00:01Z"', SOME + long(1000) + some("1970-01-01T00:00:01Z")),
        ("date", b'"1970-01-02"', SOME + long(86_400_000) + some("1970-01-02")),
        ("date", b'"someday"', NULL + some("someday")),
        ("date", b"null", NULL + NULL),
        ("location", b'{"lon":-2,"lat":52.5}', double(52.5) + double(-2.0)),
        ("location", b'{"latitude":1,"longitude":2}', double(1.0) + double(2.0)),
        ("location", b'{"lat":1}', double(1.0) + NULL),
        ("location", b'{"lat":null,"lon":null}', NULL + NULL),
        ("location", b"null", NULL + NULL),
        ("link", b'{"sys":{"type":"Link","linkType":"Entry","id":"e1"}}', some("e1")),
        ("link", b'{"sys":{"type":"ResourceLink","urn":"crn:x"}}', some("crn:x")),
        ("link", b'{"uid":"e1","_content_type_uid":"post"}', some("e1")),
        ("link", b'[{"uid":"e1"}]', some("e1")),
        ("link", b'"e1"', some("e1")),
        ("link", b'""', NULL),
        ("link", b"[]", NULL),
        ("link", b"null", NULL),
        ("links", b'[{"uid":"e1"},"e2"]', SOME + long(2) + string("e1") + string("e2") + b"\x00"),
        ("links", b'{"uid":"e1"}', SOME + long(1) + string("e1") + b"\x00"),
        ("links", b"[]", SOME + b"\x00"),
        ("links", b'""', NULL),
        ("texts", b'["a",""]', SOME + long(2) + string("a") + string("") + b"\x00"),
        ("texts", b"[]", SOME + b"\x00"),
        ("texts", b"null", NULL),
        ("json", b'{ "a":\t1e400, "b":"\\ud83d" }', some('{ "a":\t1e400, "b":"\\ud83d" }')),
        ("json", b"null", NULL),
    ],
)
def test_a_value_stands_in_its_columns(kind: FieldKind, raw: bytes, written: bytes) -> None:
    """Each kind's values are written as the specification of Avro says, null where there is none."""
    assert KINDS[kind].read(raw) == written


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        *(("text", raw) for raw in (b"5", b"{}", b"[]", HALF_A_CHARACTER, rb'"a\u0000b"')),
        *(
            ("integer", raw)
            for raw in (b'"5"', b"5.5", b"9223372036854775808", b"1e400", b"1e-999999999999999999999", b"{}")
        ),
        *(("number", raw) for raw in (b'"5"', b"true", b"[1]")),
        *(("boolean", raw) for raw in (b"1", b'"true"')),
        *(("date", raw) for raw in (b"5", b"{}")),
        *(
            ("location", raw)
            for raw in (b"[1,2]", b"{}", b'{"sys":{"id":"e1"}}', b'{"lat":"1"}', b'{"lat":0.123456789012345678}')
        ),
        *(("link", raw) for raw in (b"5", b"{}", b'{"sys":{}}', b'["e1","e2"]', b'[""]', b"[null]", HALF_A_CHARACTER)),
        *(("links", raw) for raw in (b"[5]", b"[null]", b'[""]', b"[{}]")),
        *(("texts", raw) for raw in (b'"a"', b"[1]", b"[null]", b"[" + HALF_A_CHARACTER + b"]", rb'["\u0000"]')),
    ],
)
def test_what_a_column_cannot_hold_is_refused(kind: FieldKind, raw: bytes) -> None:
    """Nothing is bent to fit, and the reason does not tell the value."""
    with pytest.raises(DoesNotFit) as refused:
        KINDS[kind].read(raw)
    assert raw.decode() not in str(refused.value)


@given(NUMBERS)
@example("4.35")
@example("123456789012345")
@example("1e308")
@example("5e-324")
def test_a_number_is_the_same_number(text: str) -> None:
    """A double whose shortest form is the number, or else the number's own digits."""
    found: list[Any] = avro_values("number", KINDS["number"].read(text.encode()))
    number, exact = found
    assert (number is None) == (exact == text)
    assert number is None or Decimal(repr(number)) == Decimal(text)


@given(NUMBERS)
def test_a_whole_number_is_the_same_number(text: str) -> None:
    """A long is the number; everything else is refused."""
    fits = Decimal(text) % 1 == 0 if abs(Decimal(text)) < 2**64 else False
    try:
        assert avro_values("integer", KINDS["integer"].read(text.encode())) == [int(Decimal(text))]
    except DoesNotFit:
        assert not fits or not -(2**63) <= Decimal(text) < 2**63


def avro_values(kind: FieldKind, written: bytes) -> list[Any]:
    """Return the values in the columns of a kind, read by fastavro."""
    fields = [
        {"name": name or "value", "type": ["null", type_], "default": None} for name, type_ in KINDS[kind].parts.items()
    ]
    schema = {"type": "record", "name": "R", "fields": fields}
    return list(codec.decode_by(json.dumps(schema), written).values())


@pytest.mark.parametrize("kind", KINDS)
def test_nulls_are_one_for_each_part(kind: FieldKind) -> None:
    """What a kind writes without a value has as many columns as with one."""
    assert KINDS[kind].nulls == NULL * len(KINDS[kind].parts) == KINDS[kind].read(b"null")


@pytest.mark.parametrize(
    ("raw", "said"),
    [(b'"12 EUR"', "12 EUR"), (b"[1]", "[1]"), (rb'"\u0000"', r'"\u0000"'), (HALF_A_CHARACTER, r'"\ud83d"')],
)
def test_exact_text_takes_everything(raw: bytes, said: str) -> None:
    """A text stands there as it is, anything else as its JSON."""
    assert verbatim(raw) == some(said)
