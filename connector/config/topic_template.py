"""The template of the changes topics: what it may contain, and that no two connections share a topic. Pure."""

import re
import string
from collections.abc import Iterator
from itertools import combinations

_BYTES = 249
_FIELDS = {"prefix", "connection", "entity_type", "locale"}
_LONGEST = {"entity_type": "content_type", "locale": "x" * 16}


def checked(topic: str) -> str:
    """Return the template; raises `ValueError` saying what is wrong with it."""
    if unknown := sorted(_used(topic) - _FIELDS):
        raise ValueError(f"{{{unknown[0]}}} cannot route: a delete may not know it; use {_braced(_FIELDS)}")
    if not re.search(r"(^|\.){connection}(\.|$)", topic):
        raise ValueError("must contain {connection} between dots, so that no two connections share a topic")
    if not re.fullmatch(r"[A-Za-z0-9._-]+", topic.format_map(dict.fromkeys(_FIELDS, "x"))):
        raise ValueError("must consist of the characters that Kafka allows in a topic: letters, digits, dot, _ and -")
    return topic


def collisions(topic: str, prefix: str, names: tuple[str, ...]) -> Iterator[str]:
    """Yield a sentence for each topic that connections of these names would share, or may not use."""
    # The other variable parts cannot make two topics equal: {connection} stands between dots.
    changes = {name: topic.format(prefix=prefix, connection=name, **_LONGEST) for name in names}
    ours = {f"{prefix}.{name}.{end}" for name in names for end in ("state", "dead-letters")}
    reserved = {*ours, f"{prefix}.wake-ups"}
    for name, changed in changes.items():
        if changed in reserved or changed.startswith(tuple(f"{prefix}.{each}.table." for each in names)):
            yield f"the changes topic of {name} would be {changed}, which contentwire reserves for itself"
        if len(changed) > _BYTES:
            yield f"the changes topic of {name} would be longer than {_BYTES} characters"
    for one, other in combinations(names, 2):
        if changes[one] == changes[other]:
            yield f"{one} and {other} would share the topic {changes[one]}"


def _used(template: str) -> set[str]:
    try:
        parts = tuple(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"is not a template: {error}") from error
    return {f"{name}{conversion or ''}{spec}" for _, name, spec, conversion in parts if name is not None}


def _braced(names: set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names))
