"""Field values given from outside, as JSON that is kept byte for byte. Pure."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from connector.simulator.value import Values

_encode = msgspec.json.Encoder(decimal_format="number").encode


def verbatim(fields: Mapping[str, Mapping[str, Any]] | None) -> Values | None:
    """Return `fields` with each value as `msgspec.Raw`; such a value is kept as it is."""
    if fields is None:
        return None
    return {name: {locale: _raw(value) for locale, value in by.items()} for name, by in fields.items()}


def _raw(value: Any) -> msgspec.Raw:
    if isinstance(value, msgspec.Raw):
        return value
    try:
        return msgspec.Raw(_encode(value))
    except UnicodeEncodeError:
        # Lone surrogates exist in CMSs and have no UTF-8: they travel escaped.
        return msgspec.Raw(json.dumps(value).encode())
