"""The content types and locales that a simulated space begins with. Pure."""

from connector.simulator.model import content_type
from connector.simulator.value import DEFAULT_LOCALE, ContentType, Field, Locale

LOCALES = (
    Locale(DEFAULT_LOCALE, "English (United States)"),
    Locale("de-DE", "German (Germany)", DEFAULT_LOCALE),
    Locale("fr-FR", "French (France)", DEFAULT_LOCALE),
)
TYPES = (
    content_type(
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
    content_type(
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
    content_type(
        "author",
        "Author",
        (
            Field("name", "symbol"),
            Field("biography", "text", localized=True),
            Field("portrait", "asset"),
            Field("bornOn", "date"),
        ),
    ),
    content_type(
        "category",
        "Category",
        (Field("label", "symbol", localized=True), Field("parent", "entry", target="category")),
    ),
)

_FURTHER = (
    "landing-page", "2ndHandOffer", "event", "venue", "job_posting", "pressRelease", "team-member", "faq", "caseStudy",
    "partner", "glossaryTerm", "course", "lesson", "review", "banner", "recipe",
)  # fmt: skip
_CHOICE = (
    Field("summary", "text", localized=True),
    Field("body", "rich_text", localized=True),
    Field("rank", "integer"),
    Field("rating", "number"),
    Field("startsOn", "date"),
    Field("listed", "boolean"),
    Field("place", "location"),
    Field("owner", "entry", target="author"),
    Field("cover", "asset", localized=True),
    Field("teasers", "entries", target="product"),
    Field("gallery", "assets"),
    Field("labels", "symbols", localized=True),
    Field("settings", "object"),
    Field("card", "group", localized=True),
    Field("parts", "blocks"),
    Field("origin", "resource"),
)


def content_types(count: int) -> tuple[ContentType, ...]:
    """Return `TYPES` and as many further ones as make `count`; raises `ValueError` for less than those."""
    if count < len(TYPES):
        raise ValueError(f"a simulated space has at least {len(TYPES)} content types")
    return (*TYPES, *map(_further, range(count - len(TYPES))))


def _further(number: int) -> ContentType:
    round_, place = divmod(number, len(_FURTHER))
    id_ = f"{_FURTHER[place]}{round_ + 1 if round_ else ''}"
    fields = [_CHOICE[(number * 5 + step) % len(_CHOICE)] for step in range(6 + number % 5)]
    return content_type(id_, f"Further type {number + 1}", (Field("title", "symbol", localized=True), *fields))
