"""Field values given from outside: kept byte for byte."""

from decimal import Decimal

import msgspec

from connector.simulator.verbatim import verbatim


def raw(value: object) -> bytes:
    """Return the JSON that a value becomes."""
    fields = verbatim({"f": {"en-US": value}})
    assert fields
    return bytes(fields["f"]["en-US"])


def test_no_fields_are_none() -> None:
    """Then generated fields stay; an empty mapping replaces none of them."""
    assert verbatim(None) is None
    assert verbatim({}) == {}


def test_verbatim_json_stays_as_it_is() -> None:
    """`1.10` is not `1.1`, and its spaces stay."""
    assert raw(msgspec.Raw(b"[1.10, 2]")) == b"[1.10, 2]"


def test_values_become_json() -> None:
    """Decimals with all their digits, text unescaped."""
    assert raw(Decimal("1.10")) == b"1.10"
    assert raw({"é": [None, True]}) == '{"é":[null,true]}'.encode()


def test_a_lone_surrogate_travels_escaped() -> None:
    """CMSs deliver such texts, which have no UTF-8 form."""
    assert raw("a\ud83d") == b'"a\\ud83d"'
