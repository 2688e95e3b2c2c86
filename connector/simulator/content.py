"""Realistic content, made from a seed: the same arguments always give the same values. Pure."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from random import Random
from typing import Any

import msgspec

from connector.simulator.catalogue import TYPES
from connector.simulator.value import (
    DEFAULT_LOCALE,
    Block,
    ContentType,
    Field,
    File,
    Group,
    Kind,
    Link,
    Location,
    Moment,
    Resource,
    RichText,
    Values,
)

_SHARES = (
    "blogPost",
    "product",
    "blogPost",
    "product",
    "blogPost",
    "author",
    "blogPost",
    "product",
    "blogPost",
    "category",
)
_FIELDS = {field.id: field for content_type in TYPES for field in content_type.fields}
_SENTENCES = {
    "en-US": "the quiet harbour keeps its own slow time while gulls argue over bread and boats come home again",
    "de-DE": "der stille Hafen führt seine eigene Zeit während Möwen streiten und große Boote heimwärts gleiten",
    "fr-FR": "le port tranquille garde son propre temps où les mouettes se disputent et l'été s'éloigne déjà",
}
_WORDS = {locale: sentence.split() for locale, sentence in _SENTENCES.items()}
_MARKS = ("", "", "", " … déjà vu", " 🚢", " “quoted” \\ back/slash", " 漢字とかな", "\tindented\nline")
_PRICES = ("1.10", "0.00", "18000", "19.999", "1E+2", "-0.5", "12345678901234.5678")

_REMEMBERED = 4096  # entities: pages are rendered much more often than content is edited


def entity_id(seed: int, kind: Kind, index: int) -> str:
    """Return the id of the `index`-th entity: 22 characters of both cases, digits, `-` and `_`."""
    digest = blake2b(f"{seed}:{kind}:{index}".encode(), digest_size=16).digest()
    return urlsafe_b64encode(digest)[:22].decode()


def locales_at(index: int, locales: Sequence[str]) -> tuple[str, ...]:
    """Return those of a space's `locales` that the `index`-th entry is written in; the first one always."""
    first = locales[0]
    return (tuple(locales), (first,), tuple(locales[:2]), (first, locales[-1]))[index % 4]


class Content:
    """The content of every entity, by its index and the number of times it was edited.

    `further` content types get a share of the entries besides those that every space has.
    """

    def __init__(self, seed: int, further: Sequence[str] = ()) -> None:
        self._seed = seed
        self._types = {each.id: each for each in TYPES}
        self._shares = (*_SHARES, *further)
        self._made_in_a_row = lru_cache(_REMEMBERED)(self._make_in_a_row)

    def type_at(self, index: int) -> str:
        """Return the content type of the `index`-th entry."""
        return self._shares[index % len(self._shares)]

    def values(self, content_type: ContentType, index: int, edit: int, locales: tuple[str, ...]) -> Values:
        """Return the fields of an entry. What an edit of the content type leaves alone keeps its values."""
        made = self._made_in_a_row(content_type.id, index, edit, locales)
        return {
            field.name: made[field.id] if self._is_original(field) else self._own(field, index, edit, locales)
            for field in content_type.fields
        }

    def _make_in_a_row(self, content_type: str, index: int, edit: int, locales: tuple[str, ...]) -> Values:
        """Return the values of the fields that a content type had at first, by their ids. MUST NOT be changed."""
        if content_type not in self._types:
            return {}
        random = Random(f"{self._seed}:{index}:{edit}")  # noqa: S311 - content, not cryptography
        return {field.id: self._by_locale(field, index, random, locales) for field in self._types[content_type].fields}

    def _is_original(self, field: Field) -> bool:
        original = _FIELDS.get(field.id)
        if original is None or original is field:
            return original is field
        return msgspec.structs.replace(field, name=original.name) == original

    def _own(self, field: Field, index: int, edit: int, locales: tuple[str, ...]) -> dict[str, Any]:
        random = Random(f"{self._seed}:{index}:{edit}:{field.id}:{field.type}")  # noqa: S311 - as above
        return self._by_locale(field, index, random, locales)

    def _by_locale(self, field: Field, index: int, random: Random, locales: tuple[str, ...]) -> dict[str, Any]:
        wanted = locales if field.localized else (DEFAULT_LOCALE,)
        return {locale: self._value(field, index, random, locale) for locale in wanted}

    def asset(self, index: int, edit: int, locales: tuple[str, ...]) -> Values:
        """Return the fields of an asset: title, description and the file, each by locale."""
        random = Random(f"{self._seed}:asset:{index}:{edit}")  # noqa: S311 - content, not cryptography
        width, height = 320 + random.randrange(2000), 200 + random.randrange(1200)
        return {
            "title": {locale: _phrase(random, locale, 3) for locale in locales},
            "description": {DEFAULT_LOCALE: _phrase(random, DEFAULT_LOCALE, 9)},
            "file": {
                locale: File(f"harbour-{index}.{locale}.jpg", "image/jpeg", 4096 + width * height // 9, width, height)
                for locale in locales
            },
        }

    def _value(self, field: Field, index: int, random: Random, locale: str) -> Any:  # noqa: PLR0911 - one case per type
        match field.type:
            case "entry":
                return self._entry(field.target, index, random)
            case "entries":
                return [self._entry(field.target, index, random) for _ in range(random.randrange(4))]
            case "asset":
                return self._asset(index, random)
            case "assets":
                return [self._asset(index, random) for _ in range(random.randrange(4))]
            case "group":
                weight = Decimal(random.choice(_PRICES))
                return Group(_phrase(random, locale, 4), weight, self._asset(index, random))
            case "blocks":
                return [
                    Block(name, _phrase(random, locale, 5), self._asset(index, random)) for name in ("hero", "quote")
                ]
            case "rich_text":
                return RichText(
                    _phrase(random, locale, 4), _phrase(random, locale, 60), self._entry("product", index, random)
                )
            case _:
                return _plain(field, index, random, locale)

    def _asset(self, index: int, random: Random) -> Link:
        return Link("asset", entity_id(self._seed, "asset", random.randrange(1 + index // 5)))

    def _entry(self, target: str, index: int, random: Random) -> Link:
        """Point to an earlier entry of the type `target`; to nothing if it has no share of the entries."""
        shares = self._shares
        if target not in shares:
            return Link("entry", entity_id(self._seed, "entry", -1 - random.randrange(9)), target)
        nearest = random.randrange(1 + index // len(shares)) * len(shares) + shares.index(target)
        return Link("entry", entity_id(self._seed, "entry", nearest), target)


def _plain(field: Field, index: int, random: Random, locale: str) -> Any:  # noqa: PLR0911 - one case per type
    match field.type:
        case "symbol":
            return "article" if field.name == "type" else _phrase(random, locale, 4) + random.choice(_MARKS)
        case "text":
            return _phrase(random, locale, 40) + random.choice(_MARKS)
        case "integer":
            return random.choice((0, 7, random.randrange(10_000), 2**53 + index))
        case "number":
            return Decimal(random.choice(_PRICES))
        case "date":
            day = 1 + random.randrange(28)
            return Moment(f"2022-04-{day:02}{random.choice(('', 'T00:00+02:00', 'T08:30:00Z'))}")
        case "boolean":
            return random.random() < 0.5  # noqa: PLR2004 - a fair coin
        case "location":
            return Location(Decimal(f"5{random.randrange(10)}.50"), Decimal(f"-{random.randrange(180)}.25"))
        case "symbols":
            return [_phrase(random, locale, 1) for _ in range(random.randrange(5))]
        case "resource":
            return Resource("suppliers", f"supplier-{random.randrange(9)}")
        case _:
            return {"nested": {"empty": {}, "nothing": None, "flags": [True, False, 1.5]}, "weight": Decimal("1.10")}


def _phrase(random: Random, locale: str, words: int) -> str:
    known = _WORDS.get(locale) or [f"{word}_{locale[:2]}" for word in _WORDS[DEFAULT_LOCALE]]
    start = random.randrange(len(known))
    return " ".join(known[(start + step * (1 + start % 3)) % len(known)] for step in range(words))
