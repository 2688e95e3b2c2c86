"""Masks secrets in every text that leaves the process, however their characters are escaped. Pure."""

import json as json_format
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

MASK = "***"


class Mask:
    """Masks secrets in a text, however their characters are escaped; it can learn more of them at any time."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: frozenset[str] = frozenset()
        self._masked: Callable[[str], str] = str
        self.learn(secrets)

    def __call__(self, text: str) -> str:
        """Return the text without any secret."""
        return self._masked(text)

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these too from now on; a secret stays one."""
        known = self._known | set(secrets)
        if known != self._known:
            self._known, self._masked = known, redaction(known)


def redaction(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that masks each of `secrets` in a text, however its characters are escaped."""
    # The longest first: one secret may begin with another.
    patterns = [_pattern(secret) for secret in sorted(set(secrets), key=len, reverse=True) if secret]
    if not patterns:
        return str
    return partial(re.compile("|".join(patterns)).sub, MASK)


def masked(mask: Callable[[str], str], value: Any) -> Any:
    """Return a value of a log line without any secret; anything but a plain value becomes text."""
    match value:
        case str():
            return mask(value)
        case bool() | int() | float() | None:
            # A number may be a secret too.
            return value if mask(str(value)) == str(value) else MASK
        case Mapping():
            return {mask(str(key)): masked(mask, item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [masked(mask, item) for item in value]
    # Rendered here: a later renderer would write it unmasked.
    return mask(str(value) if isinstance(value, BaseException) else repr(value))


def _pattern(secret: str) -> str:
    return "".join(map(_any_escape, secret))


def _any_escape(character: str) -> str:
    encoded = character.encode("utf-8", "surrogatepass")
    percent = "".join(f"%{byte:02x}" for byte in encoded)
    forms = {character, json_format.dumps(character)[1:-1], repr(character)[1:-1], repr(encoded)[2:-1]}
    if character == " ":
        forms.add("+")
    if character in "'\"\\/":
        forms.add(f"\\{character}")
    # The longest first, so that an escape is masked with its backslash.
    plain = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    return f"(?:(?i:{percent})|{plain})"
