"""Field values given from outside, as JSON that is kept byte for byte. Pure."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from connector.simulator.value import Values

_encode = msgspec.json.Encoder(decimal_format="number").encode


def verbatim(fields: Mapping[str, Mapping[str, Any]] | None) -> Values | None:
    """Return `fields` with each value as `msgspec.Raw`; values that already are stay as they are."""
    if fields is None:
        return None
    return {name: {locale: _raw(value) for locale, value in by.items()} for name, by in fields.items()}


def _raw(value: Any) -> msgspec.Raw:
    if isinstance(value, msgspec.Raw):
        return value
    try:
        return msgspec.Raw(_encode(value))
    except UnicodeEncodeError:
        # Lone surrogates occur in CMSs and have no UTF-8 form: they are sent escaped.
        return msgspec.Raw(json.dumps(value).encode())
