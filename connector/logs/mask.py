"""Masks secrets in every text that leaves the process, however their characters are escaped. Pure."""

import json as json_format
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

MASK = "***"

Span = tuple[int, int]
Finder = Callable[[str], Iterator[Span]]

_PREFIX: Final = 4
_PLAIN: Final = re.compile(rf"[A-Za-z0-9._~-]{{{_PREFIX},}}")
_CHARACTER: Final = re.compile("%([0-7][0-9A-Fa-f])|.", re.DOTALL)


class Mask:
    """Masks secrets in a text, however their characters are escaped; it can learn more of them at any time."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: frozenset[str] = frozenset()
        self._masked: Callable[[str], str] = str
        self._learning = threading.Lock()
        self.learn(secrets)

    def __call__(self, text: str) -> str:
        """Return the text without any secret."""
        return self._masked(text)

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these too from now on; a secret stays one. Safe from any thread."""
        with self._learning:
            known = self._known | set(secrets)
            if known != self._known:
                self._known, self._masked = known, redaction(known)


def redaction(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that masks each of `secrets` in a text, however its characters are escaped."""
    known = set(filter(None, secrets))
    plain = {secret for secret in known if _PLAIN.fullmatch(secret)}
    # The longest first: one secret may begin with another.
    patterns = [_pattern(secret) for secret in sorted(known - plain, key=len, reverse=True)]
    finders: list[Finder] = [_PlainSecrets(plain).spans] if plain else []
    if patterns:
        finders.append(partial(_matches, re.compile("|".join(patterns))))
    return partial(_redacted, finders) if finders else str


def _redacted(finders: Iterable[Finder], text: str) -> str:
    spans = sorted(span for find in finders for span in find(text))
    kept: list[str] = []
    end = 0
    for begin, stop in spans:
        if begin >= end:
            kept += [text[end:begin], MASK]
        end = max(end, stop)
    return "".join([*kept, text[end:]]) if spans else text


class _PlainSecrets:
    """Secrets of characters that nothing but URL encoding ever escapes, as most tokens are.

    Looked up by how they begin: a thousand alternatives of a regular expression take milliseconds for each text.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._by_prefix: dict[str, list[str]] = {}
        for secret in sorted(secrets, key=len, reverse=True):
            self._by_prefix.setdefault(secret[:_PREFIX], []).append(secret)

    def spans(self, text: str) -> Iterator[Span]:
        """Yield where secrets stand in a text."""
        yield from self._literal(text)
        if "%" in text:
            decoded, places = _decoded(text)
            yield from ((places[begin], places[stop]) for begin, stop in self._literal(decoded))

    def _literal(self, text: str) -> Iterator[Span]:
        at = 0
        while at <= len(text) - _PREFIX:
            candidates = self._by_prefix.get(text[at : at + _PREFIX], ())
            found = next((len(secret) for secret in candidates if text.startswith(secret, at)), 0)
            if found:
                yield at, at + found
            at += found or 1


def _decoded(text: str) -> tuple[str, list[int]]:
    """Return a text with its URL-encoded ASCII characters decoded, and where each character and the end stood."""
    characters: list[str] = []
    places: list[int] = []
    for piece in _CHARACTER.finditer(text):
        characters.append(chr(int(piece[1], 16)) if piece[1] else piece[0])
        places.append(piece.start())
    return "".join(characters), [*places, len(text)]


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    return (match.span() for match in pattern.finditer(text))


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
