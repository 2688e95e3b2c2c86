"""The canonical form: what counts as the same content, and what does not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.canonical import digest

DEEP = 490
SAME = [
    ('{"a": 1, "b": [true, null]}', '{"b":[true,null],"a":1}'),
    ("[1.10, 0, 1000, 1]", "[1.1e0, -0.0, 1E+3, 0.1e1]"),
    ("1e400", "10.0E399"),
    ("1e99999999999999999999", "10e99999999999999999998"),
    ('"\\u00e9\\/"', '"é/"'),
    ('"\\ud83d"', '"\\uD83D"'),
    ('{"a": {"y": 1, "x": {"n": 20}}}', '{"a": {"x": {"n": 2e1}, "y": 1.0}}'),
]
DIFFERENT = [
    ("[1, 2]", "[2, 1]"),
    ("1", '"1"'),
    ("0", "null"),
    ("true", '"true"'),
    ("1", "-1"),
    ("1e400", "1e401"),
    ("1e400", "2e400"),
    ("9007199254740993", "9007199254740992"),
    ("0.1", "0.1000000000000000055511151231257827"),
    ('{"a": 1, "a": 2}', '{"a": 2, "a": 1}'),
    ('{"a": 1, "a": 1}', '{"a": 1}'),
    ('"\\ud83d"', '"\\ud83e"'),
    ("{}", "[]"),
    ('{"a": null}', "{}"),
    ('["number", "1e0"]', "1"),
    ('{"number": "1e0"}', "1"),
    ("{}", "null"),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equal_content_has_equal_digests(one: str, other: str) -> None:
    """The order of members and the spelling of numbers and texts make no difference, however large a number is."""
    assert digest(one) == digest(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_content_has_different_digests(one: str, other: str) -> None:
    """Order of elements, types, every digit, doubled members and which of them comes last make a difference."""
    assert digest(one) != digest(other)


@given(VALUES)
def test_rewritten_json_keeps_its_digest(value: object) -> None:
    """Any value, written with other spaces, escapes and order of members, is the same content."""
    one = json.dumps(value, ensure_ascii=False)
    assert digest(one) == digest(json.dumps(json.loads(one), indent=1, sort_keys=True))


def test_bytes_and_text_are_the_same_content() -> None:
    """The CMS's bytes and the event's column compare; no content is no bytes."""
    assert digest('{"a":"é"}'.encode()) == digest('{"a": "é"}')
    assert digest(None) == b""


@pytest.mark.parametrize("text", ["", "{", "nonsense", '{"a": ', "\udcff"])
def test_what_is_no_json_is_equal_to_itself_only(text: str) -> None:
    """A record that something else has written into the topic is compared, not a crash."""
    assert digest(text) == digest(text)
    assert digest(text) != digest(text + " ")


def test_depth_does_not_matter() -> None:
    """The deepest document that vendors let through is compared by its content as well."""
    one = '{"a": ' * DEEP + "1.0" + "}" * DEEP
    assert digest(one) == digest(one.replace("1.0", "1"))
    assert digest(one) != digest(one.replace("1.0", "2"))
    nested = "[" * DEEP + "1.0" + "]" * DEEP
    assert digest(nested) == digest(nested.replace("1.0", "1"))


def test_a_number_of_any_length_takes_linear_time() -> None:
    """Neither a million digits nor a huge exponent are converted."""
    assert digest("1" + "0" * 1_000_000) == digest("1e1000000")
    huge = "1e" + "9" * 1_000_000
    assert digest(huge) != digest(huge[:-1])
    assert digest(f'{{"a": {huge}, "b": 1}}') == digest(f'{{"b": 1.0, "a": {huge}}}')
