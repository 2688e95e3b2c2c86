"""Exact slices: both paths give the exact bytes, refuse what is not JSON, and take at most linear time."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model import rawjson

AWKWARD = {
    "decimal": b"1.10",
    "huge": b"1e400",
    "long": b"1180591620717411303424",
    "minus zero": b"-0",
    "separator": '"\u2028"'.encode(),
    "lone surrogate": rb'"\ud83d"',
    "low surrogate": rb'"x\udc00y"',
    "escapes": rb'"\/\u0041\"\\"',
    "null": b"null",
    "empty": b"{}",
    "doubled inside": b'{"b":1,"a":2,"b":3}',
    "pretty": b'{\n  "b" : [ 1 ,\t2 ] ,\r\n  "a" : { } }',
    "brackets in text": rb'"]}\"[{,:"',
}
NOT_JSON = [
    b"",
    b" ",
    b"nul",
    b"01",
    b"1.",
    b"NaN",
    b"-Infinity",
    b'"\x01"',
    b'"',
    rb'"\q"',
    b"[1,]",
    b'{"a" 1}',
    b"'a'",
]

Reader = Callable[[bytes], Any]
READERS: list[Reader] = [rawjson.members, rawjson.split, rawjson.elements, rawjson.value]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
LAYOUTS = st.sampled_from([{"separators": (",", ":")}, {"indent": 2}, {"ensure_ascii": False}, {"indent": "\t"}])


@pytest.fixture(params=["fast", "tolerant"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let msgspec read, or make it refuse everything."""
    if request.param == "tolerant":
        for decoder in ("_MEMBERS", "_ELEMENTS", "_ANY"):
            monkeypatch.setattr(rawjson, decoder, _Refuse())
    return str(request.param)


def _refusal(read: Reader, raw: bytes) -> str | None:
    """Return why `read` refuses, or None if it does not."""
    try:
        read(raw)
    except ValueError as error:
        return str(error) or "no reason"
    return None


class _Refuse:
    """A decoder that refuses everything."""

    def decode(self, raw: bytes) -> Any:
        """Refuse."""
        raise msgspec.DecodeError


@pytest.mark.parametrize("awkward", AWKWARD.values(), ids=AWKWARD.keys())
def test_every_value_keeps_its_bytes(path: str, awkward: bytes) -> None:
    """Members, elements and rejoined objects hold the original bytes, on both paths."""
    raw = b' { "a" : ' + awkward + b' ,\n"\xc3\xa9":' + awkward + b"} "

    assert rawjson.members(raw) == {"a": awkward, "é": awkward}
    assert rawjson.split(raw) == {"a": awkward, "é": awkward}
    assert rawjson.elements(b"[" + awkward + b" , 7 ," + awkward + b"]\n") == [awkward, b"7", awkward]
    assert rawjson.join(rawjson.members(raw)) == b'{"a":' + awkward + b',"\xc3\xa9":' + awkward + b"}"


def test_empty_containers_have_nothing_in_them(path: str) -> None:
    """Empty objects and arrays, even with space in them, split into nothing."""
    assert rawjson.members(b" { } ") == rawjson.split(b"{}") == {}
    assert rawjson.elements(b"[ ]") == []
    assert rawjson.join({}) == b"{}"


@given(value=st.dictionaries(st.text(), JSON, max_size=5), layout=LAYOUTS)
def test_both_paths_agree(value: dict[str, Any], layout: dict[str, Any]) -> None:
    """Whatever the layout, the tolerant path cuts what the fast one cuts, and the parts keep their meaning."""
    raw = json.dumps(value, **layout).encode("utf-8", "surrogatepass")
    array = json.dumps(list(value.values()), **layout).encode("utf-8", "surrogatepass")

    assert rawjson.members(raw) == rawjson._split(raw)
    assert rawjson.elements(array) == rawjson._cut(array)
    assert {name: json.loads(part) for name, part in rawjson.members(raw).items()} == value
    assert json.loads(rawjson.join(rawjson.members(raw))) == value
    assert rawjson.value(raw) == value


@given(raw=st.binary(max_size=60) | st.text('{}[]",:\\u0019e.-tnf \n').map(str.encode))
def test_anything_else_is_a_value_error(raw: bytes) -> None:
    """Any bytes are read or refused with ValueError, and what members accepts is what the standard library accepts."""
    refusals = {read: _refusal(read, raw) for read in READERS}
    if not refusals[rawjson.value]:
        json.loads(raw)
    if not refusals[rawjson.members]:
        assert isinstance(json.loads(raw), dict)


@pytest.mark.parametrize("bad", NOT_JSON)
def test_what_is_not_json_is_refused(path: str, bad: bytes) -> None:
    """Neither path accepts what is not JSON; only cutting an array leaves its elements to their reader."""
    assert _refusal(rawjson.members, b'{"a":' + bad + b"}")
    assert _refusal(rawjson.value, bad)
    assert _refusal(rawjson.members, bad)


@pytest.mark.parametrize(
    "raw", [b'{"a":1,"a":2}', b'{"a":1,"a":1}', b'{"a":11,"a":1}', rb'{"a":1,"\u0061":2}', b'{"a":1 , "b":2,"a":1}']
)
def test_a_duplicate_member_is_never_lost_silently(path: str, raw: bytes) -> None:
    """Two top-level members with one name, however spelled, are refused: neither is dropped."""
    with pytest.raises(ValueError, match="twice"):
        rawjson.members(raw)


def test_a_name_that_only_looks_duplicate_is_kept(path: str) -> None:
    """Names that differ in any character, or are at different depths, are different names."""
    raw = b'{"a":{"a":1},"A":2,"a ":3,"\xef\xbd\x81":4}'
    assert rawjson.members(raw) == {"a": b'{"a":1}', "A": b"2", "a ": b"3", "\uff41": b"4"}


def test_one_bad_element_costs_no_other(path: str) -> None:
    """Invalid UTF-8, a depth bomb and text that is not JSON stay in their element; reading that one is refused."""
    bomb = b"[" * 10_000 + b"]" * 10_000
    parts = [b'{"a":"\xff"}', b'{"a":' + bomb + b"}", b'{"a":1}']
    found = rawjson.elements(b"[" + b",".join(parts) + b"]")

    assert found == parts
    assert rawjson.split(b'{"items":' + bomb + b"}") == {"items": bomb}
    assert rawjson.members(found[2]) == {"a": b"1"}
    for bad in found[:2]:
        with pytest.raises(ValueError, match=r"utf-8|deeper"):
            rawjson.members(bad)


def test_depth_is_limited_equally_everywhere(path: str) -> None:
    """Every reader that looks inside reads the deepest accepted value, and refuses one level more."""
    deepest = b"[" * rawjson.MAX_DEPTH + b"]" * rawjson.MAX_DEPTH
    assert rawjson.value(deepest)
    with pytest.raises(ValueError, match="deeper than 500"):
        rawjson.value(b"[" + deepest + b"]")
    with pytest.raises(ValueError, match="deeper than 500"):
        rawjson.members(b'{"a":' + deepest + b"}")
    assert rawjson.members(b'{"a":[' + b"[]," * 600 + b"[]]}"), "many brackets are not deep ones"


@pytest.mark.parametrize(
    "evil",
    [
        b'{"a":"' + rb"\"" * 100_000,
        b'{"a":"' + b"\\" * 200_001,
        b"[" * 200_000,
        b'["' * 100_000,
        b'{"a":' * 40_000,
        b"[" + b'"",' * 70_000,
        b'{"a":' + b"9" * 200_000 + b"}",
        b'{"a":' + b" " * 200_000,
        b"[" + b"]" * 200_000,
    ],
    ids=["quotes", "backslashes", "arrays", "texts", "objects", "elements", "digits", "space", "ends"],
)
@pytest.mark.timeout(20)
def test_hostile_text_takes_linear_time(evil: bytes) -> None:
    """A fifth of a megabyte made to be slow is read or refused at once; quadratic time would take minutes."""
    for read in READERS:
        _refusal(read, evil)


def test_numbers_out_of_range_decode_as_infinite(path: str) -> None:
    """A number too large for a float or a sane integer decodes as infinity, never as an error."""
    assert rawjson.value(b"1e400") == float("inf")
    assert rawjson.value(b"-" + b"9" * 5000) == float("-inf")
    assert rawjson.value(b"1180591620717411303424") == 2**70


def test_errors_carry_no_content(path: str) -> None:
    """Errors give offsets: the text of the input never appears in a message."""
    for raw in (b'{"secret":secret}', b'{"secret" "secret"}', b'{"secret":1,"secret":2}', b'"secret"'):
        assert "secret" not in (_refusal(rawjson.members, raw) or "secret")


def test_a_record_is_typed_on_both_paths(path: str) -> None:
    """An object is read into a type with fields of any value, lone surrogates and huge numbers included."""

    class Sys(msgspec.Struct):
        id: Any = None
        size: Any = None

    decoder = msgspec.json.Decoder(Sys)
    assert rawjson.record(rb'{"size":1e400,"id":"\ud83d","more":[1]}', decoder) == Sys("\ud83d", float("inf"))
    with pytest.raises(ValueError, match="object"):
        rawjson.record(b"[]", decoder)


LINKS = st.fixed_dictionaries(
    {"sys": st.dictionaries(st.sampled_from(["linkType", "id", "type", "{"]), JSON | st.just("linkType"), max_size=4)}
)
NESTED = st.recursive(
    LINKS | st.text('linkType"{}sy\\:') | st.none(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["sys", 'a"sys', "linkType", "b"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(value=NESTED, layout=LAYOUTS)
def test_objects_are_found_wherever_they_are(value: Any, layout: dict[str, Any]) -> None:
    """The search finds what a walk over the decoded value finds, in the same order, whatever the texts look like."""
    expected: list[tuple[str, Any]] = []

    def look(outer: str, node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("sys"), dict) and "linkType" in node["sys"]:
                expected.append((outer, node["sys"]))
            for child in node.values():
                look(outer, child)
        elif isinstance(node, list):
            for child in node:
                look(outer, child)

    for outer, inner in value.items() if isinstance(value, dict) else [("", value)]:
        look(outer, {outer: inner})
    assert rawjson.objects(json.dumps(value, **layout).encode(), "sys", "linkType") == expected


def test_escaped_names_are_found_too() -> None:
    """A name written with escapes is the same name."""
    raw = rb'{"a\u0062":[{"s\u0079s":{"linkType":"Entry"}},{"sys":{"link\u0054ype":"Asset"}}]}'
    assert rawjson.objects(raw, "sys", "linkType") == [("ab", {"linkType": "Entry"}), ("ab", {"linkType": "Asset"})]
