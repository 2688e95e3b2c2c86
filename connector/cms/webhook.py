"""Webhook calls: which are authentic, and what they announce. They only wake; no event comes from them. Pure.

Each vendor's `wake_up` checks a call; `Supervisor.wake` in `service/supervisor.py` acts on it.
"""

import hmac
from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from connector.cms import item
from connector.model import rawjson

SECRET_HEADER = "X-Contentwire-Secret"  # noqa: S105 (the name of a header)
"""The header that carries a connection's `webhook_secret`, if the vendor does not sign its calls."""

_MAX_BODY_BYTES = 8 * 1024 * 1024


class Secret(Protocol):
    """A text that does not print itself."""

    def get_secret_value(self) -> str:
        """Return the text."""
        ...


class WebhookCall(msgspec.Struct, frozen=True):
    """A call as its sender knows it: header names in lower case; `path` is the request target with its query."""

    headers: Mapping[str, str]
    method: str
    path: str
    body: bytes


class WakeUp(msgspec.Struct, frozen=True):
    """What an authentic webhook call announces: the entity's id if the body has it, else None.

    `once`: what identifies a repetition of this very call, None if nothing in it is unique.
    """

    id: str | None = None
    once: str | None = None


Reason = Literal["unconfigured", "unsigned", "expired", "wrong"]


class Refused(msgspec.Struct, frozen=True):
    """Why a call is not authentic.

    No `webhook_secret` is configured; the call carries no signature or secret; it was signed `seconds_off` seconds
    before (or, negative, after) our own clock's time; or what it carries is wrong.
    """

    reason: Reason
    seconds_off: float = 0.0


def by_secret(headers: Mapping[str, str], secret: Secret | None) -> Refused | None:
    """Return why a call that must carry `secret` in `SECRET_HEADER` is refused, None if it is not."""
    if not (secret and secret.get_secret_value()):
        return Refused("unconfigured")
    if not any(name.lower() == SECRET_HEADER.lower() for name in headers):
        return Refused("unsigned")
    return None if shares_secret(headers, secret) else Refused("wrong")


class Handled(msgspec.Struct, frozen=True):
    """What became of a call: `accepted`, `repeated`, `handed_on` to the stream's owner, `undelivered`, or refused.

    `unknown`: it is for a connection that does not exist.
    """

    outcome: Literal["accepted", "repeated", "handed_on", "undelivered", "unknown"] | Reason

    @property
    def status(self) -> int:
        """The HTTP status to answer with."""
        if self.outcome in ("accepted", "repeated", "handed_on"):
            return 202
        return {"undelivered": 503, "unknown": 404}.get(self.outcome, 401)


def shares_secret(headers: Mapping[str, str], secret: Secret | None) -> bool:
    """Return whether a call carries `secret` in `SECRET_HEADER`; without a configured secret, none does."""
    expected = secret.get_secret_value() if secret else ""
    given = next((value for name, value in headers.items() if name.lower() == SECRET_HEADER.lower()), "")
    return bool(expected) and hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass")
    )


def announced(body: bytes, *paths: tuple[str, ...]) -> str | None:
    """Return the id in a webhook's body at the first of `paths` that leads to one; takes any body."""
    try:
        root = rawjson.value(body) if len(body) <= _MAX_BODY_BYTES else None
    except ValueError:
        return None
    for path in paths:
        node = root
        for name in path:
            node = node.get(name) if isinstance(node, dict) else None
        if found := item.text(node):
            return found
    return None
