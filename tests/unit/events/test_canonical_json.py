"""The canonical form: what counts as the same content, and what does not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.events.canonical_json import _thorough, digest

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
    """The order of elements, types, every digit, duplicate members and their order make a difference."""
    assert digest(one) != digest(other)


@given(VALUES)
def test_rewritten_json_keeps_its_digest(value: object) -> None:
    """Any value, rewritten with other spaces, escapes and order of members, is the same content."""
    one = json.dumps(value, ensure_ascii=False)
    assert digest(one) == digest(json.dumps(json.loads(one), indent=1, sort_keys=True))


def test_bytes_and_text_are_the_same_content() -> None:
    """The CMS's bytes and the event's column can be compared; no content gives no bytes."""
    assert digest('{"a":"é"}'.encode()) == digest('{"a": "é"}')
    assert digest(None) == b""


@pytest.mark.parametrize("text", ["", "{", "nonsense", '{"a": ', "\udcff"])
def test_what_is_not_json_equals_only_itself(text: str) -> None:
    """A record that something else wrote into the topic is compared, and crashes nothing."""
    assert digest(text) == digest(text)
    assert digest(text) != digest(text + " ")


def test_depth_does_not_matter() -> None:
    """The deepest document that vendors let through is compared by its content too."""
    one = '{"a": ' * DEEP + "1.0" + "}" * DEEP
    assert digest(one) == digest(one.replace("1.0", "1"))
    assert digest(one) != digest(one.replace("1.0", "2"))
    nested = "[" * DEEP + "1.0" + "]" * DEEP
    assert digest(nested) == digest(nested.replace("1.0", "1"))


def test_a_number_of_any_length_takes_linear_time() -> None:
    """Neither a million digits nor a huge exponent is converted."""
    assert digest("1" + "0" * 1_000_000) == digest("1e1000000")
    huge = "1e" + "9" * 1_000_000
    assert digest(huge) != digest(huge[:-1])
    assert digest(f'{{"a": {huge}, "b": 1}}') == digest(f'{{"b": 1.0, "a": {huge}}}')


PAIRS = [
    *SAME,
    *DIFFERENT,
    ('{"a\\"b": "x\\\\"}', '{"a\\u0022b":"x\\u005c"}'),
    ("1e17", "100000000000000000"),
    ("-1e16", "-10000000000000000"),
    ("-12345678901234567", "-12345678901234567.0"),
    ("-123456789012345678", "-123456789012345678.0"),
    ("1e18", "1" + "0" * 18),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_the_quick_reading_agrees_with_the_thorough_one(one: str, other: str) -> None:
    """Two texts are equal to one exactly if they are equal to the other."""
    assert (digest(one) == digest(other)) == (_thorough(one) == _thorough(other))


NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@given(NUMBERS, NUMBERS, st.sampled_from([0, 1, 5, 20]))
def test_numbers_are_equal_by_their_value(one: str, other: str, shift: int) -> None:
    """Whatever their spelling: the quick reading agrees with the thorough one, for a number and for it shifted."""
    for left, right in ((one, other), (one, f"{one}0" if "." in one and "e" not in one.lower() else one)):
        assert (digest(f"[{left}]") == digest(f"[{right}]")) == (_thorough(f"[{left}]") == _thorough(f"[{right}]"))
    if "e" not in one.lower():
        spelt = f"{one}.{'0' * shift}" if shift and "." not in one else f"{one}e0"
        assert digest(one) == digest(spelt)


@given(VALUES, VALUES)
def test_values_are_equal_to_both_readings_or_to_neither(one: object, other: object) -> None:
    """For any two values."""
    left, right = json.dumps(one), json.dumps(other)
    assert (digest(left) == digest(right)) == (_thorough(left) == _thorough(right))
