"""Webhook calls: which are authentic, and what they announce. They only wake; no event comes from them. Pure."""

import hmac
from collections.abc import Mapping
from typing import Protocol

import msgspec

from connector import item, rawjson

SECRET_HEADER = "X-Contentwire-Secret"  # noqa: S105 (the name of a header)
"""The header that carries a connection's `webhook_secret`, where the vendor does not sign its calls."""

_LARGEST = 8 * 1024 * 1024


class Secret(Protocol):
    """A text that does not show itself."""

    def get_secret_value(self) -> str:
        """Return the text."""
        ...


class WakeUp(msgspec.Struct, frozen=True):
    """What an authentic webhook call announces: the entity's id where the body tells it, else None."""

    id: str | None = None


def shares_secret(headers: Mapping[str, str], secret: Secret | None) -> bool:
    """Return whether a call carries `secret` in `SECRET_HEADER`; without a configured secret none does."""
    expected = secret.get_secret_value() if secret else ""
    given = next((value for name, value in headers.items() if name.lower() == SECRET_HEADER.lower()), "")
    return bool(expected) and hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass")
    )


def announced(body: bytes, *paths: tuple[str, ...]) -> str | None:
    """Return the id that a webhook's body has at the first of `paths` that leads to one; any body will do."""
    try:
        root = rawjson.value(body) if len(body) <= _LARGEST else None
    except ValueError:
        return None
    for path in paths:
        node = root
        for name in path:
            node = node.get(name) if isinstance(node, dict) else None
        if found := item.text(node):
            return found
    return None
