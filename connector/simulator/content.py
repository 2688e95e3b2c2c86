"""Realistic content, made from a seed: the same arguments always give the same values. Pure."""

from base64 import urlsafe_b64encode
from decimal import Decimal
from hashlib import blake2b
from random import Random
from typing import Any

from connector.simulator.value import (
    DEFAULT_LOCALE,
    LOCALES,
    Block,
    ContentType,
    Field,
    File,
    Kind,
    Link,
    Location,
    Resource,
    RichText,
    Values,
)

TYPES = (
    ContentType(
        "blogPost",
        "Blog post",
        (
            Field("title", "symbol", localized=True),
            Field("slug", "symbol"),
            Field("type", "symbol"),
            Field("summary", "text", localized=True),
            Field("body", "rich_text", localized=True),
            Field("publishedOn", "date"),
            Field("readingMinutes", "integer"),
            Field("featured", "boolean"),
            Field("author", "entry", target="author"),
            Field("related", "entries", target="blogPost"),
            Field("heroImage", "asset"),
            Field("keywords", "symbols", localized=True),
            Field("sections", "blocks"),
            Field("seo", "object"),
        ),
    ),
    ContentType(
        "product",
        "Product",
        (
            Field("productName", "symbol", localized=True),
            Field("description", "text", localized=True),
            Field("price", "number"),
            Field("stock", "integer"),
            Field("photo", "asset"),
            Field("category", "entry", target="category"),
            Field("warehouse", "location"),
            Field("attributes", "object"),
            Field("supplier", "resource"),
        ),
    ),
    ContentType(
        "author",
        "Author",
        (
            Field("name", "symbol"),
            Field("biography", "text", localized=True),
            Field("portrait", "asset"),
            Field("bornOn", "date"),
        ),
    ),
    ContentType(
        "category",
        "Category",
        (Field("label", "symbol", localized=True), Field("parent", "entry", target="category")),
    ),
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
_SENTENCES = {
    "en-US": "the quiet harbour keeps its own slow time while gulls argue over bread and boats come home again",
    "de-DE": "der stille Hafen führt seine eigene Zeit während Möwen streiten und große Boote heimwärts gleiten",
    "fr-FR": "le port tranquille garde son propre temps où les mouettes se disputent et l'été s'éloigne déjà",
}
_WORDS = {locale: sentence.split() for locale, sentence in _SENTENCES.items()}
_MARKS = ("", "", "", " … déjà vu", " 🚢", " “quoted” \\ back/slash", " 漢字とかな", "\tindented\nline")
_PRICES = ("1.10", "0.00", "18000", "19.999", "1E+2", "-0.5", "12345678901234.5678")


def entity_id(seed: int, kind: Kind, index: int) -> str:
    """Return the id of the `index`-th entity: 22 characters of both cases, digits, `-` and `_`."""
    digest = blake2b(f"{seed}:{kind}:{index}".encode(), digest_size=16).digest()
    return urlsafe_b64encode(digest)[:22].decode()


def type_at(index: int) -> str:
    """Return the content type of the `index`-th entry."""
    return _SHARES[index % len(_SHARES)]


def locales_at(index: int) -> tuple[str, ...]:
    """Return the locales that the `index`-th entity is written in; the default locale is always one."""
    return (LOCALES, LOCALES[:1], LOCALES[:2], (LOCALES[0], LOCALES[2]))[index % 4]


class Content:
    """The content of every entity, by its index and the number of times it was edited."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._types = {each.id: each for each in TYPES}

    def values(self, content_type: str, index: int, edit: int, locales: tuple[str, ...]) -> Values:
        """Return the fields of an entry; a content type that is not one of `TYPES` has none."""
        if content_type not in self._types:
            return {}
        random = Random(f"{self._seed}:{index}:{edit}")  # noqa: S311 - content, not cryptography
        return {
            field.id: {
                locale: self._value(field, index, random, locale)
                for locale in (locales if field.localized else (DEFAULT_LOCALE,))
            }
            for field in self._types[content_type].fields
        }

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

    def _value(self, field: Field, index: int, random: Random, locale: str) -> Any:
        match field.type:
            case "entry":
                return self._entry(field.target, index, random)
            case "entries":
                return [self._entry(field.target, index, random) for _ in range(random.randrange(4))]
            case "asset":
                return self._asset(index, random)
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
        """Point to an earlier entry, of the wanted type if there is one."""
        wanted = _SHARES.index(target)
        nearest = random.randrange(1 + index // len(_SHARES)) * len(_SHARES) + wanted
        return Link("entry", entity_id(self._seed, "entry", nearest), target)


def _plain(field: Field, index: int, random: Random, locale: str) -> Any:  # noqa: PLR0911 - one case per type
    match field.type:
        case "symbol":
            return "article" if field.id == "type" else _phrase(random, locale, 4) + random.choice(_MARKS)
        case "text":
            return _phrase(random, locale, 40) + random.choice(_MARKS)
        case "integer":
            return random.choice((0, 7, random.randrange(10_000), 2**53 + index))
        case "number":
            return Decimal(random.choice(_PRICES))
        case "date":
            day = 1 + random.randrange(28)
            return random.choice((f"2022-04-{day:02}", f"2022-04-{day:02}T00:00+02:00", f"2022-04-{day:02}T08:30:00Z"))
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
    known = _WORDS[locale]
    start = random.randrange(len(known))
    return " ".join(known[(start + step * (1 + start % 3)) % len(known)] for step in range(words))
