"""Canned sync pages: items of about 2 KB that look like content, the same in every run."""

import json
import random
from collections.abc import Iterator

from connector.model.content_model import ContentModel, ContentType, Field, FieldKind, Locale

_WORDS = ("river", "stone", "light", "garden", "paper", "signal", "harbour", "window", "metal", "cloud")


def sync_path(environment: str) -> str:
    """Return the path of the Sync API that serves the pages."""
    return f"/spaces/bench/environments/{environment}/sync"


def item(number: int, chance: random.Random) -> dict[str, object]:
    """Return one entry with text, numbers, rich text and links."""
    text = " ".join(chance.choices(_WORDS, k=190))
    link = {"sys": {"type": "Link", "linkType": "Entry", "id": f"entry{chance.randrange(100_000)}"}}
    image = {"sys": {"type": "Link", "linkType": "Asset", "id": f"asset{chance.randrange(10_000)}"}}
    day, hour, minute, second = 1 + number % 28, number % 24, number % 60, number // 60 % 60
    moment = f"2026-01-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{number % 1000:03d}Z"
    return {
        "metadata": {"tags": [], "concepts": []},
        "sys": {
            "space": {"sys": {"type": "Link", "linkType": "Space", "id": "bench"}},
            "id": f"entry{number}",
            "type": "Entry",
            "createdAt": "2025-01-01T00:00:00.000Z",
            "updatedAt": moment,
            "environment": {"sys": {"id": "master", "type": "Link", "linkType": "Environment"}},
            "publishedVersion": 7,
            "revision": 3,
            "contentType": {"sys": {"type": "Link", "linkType": "ContentType", "id": f"type{number % 7}"}},
        },
        "fields": {
            "title": {"en-US": f"Entry {number}", "de-DE": f"Eintrag {number}"},
            "body": {"en-US": text},
            "price": {"en-US": number / 100},
            "related": {"en-US": [link, link | {}]},
            "image": {"en-US": image},
            "location": {"en-US": {"lat": 52.52, "lon": 13.405}},
        },
    }


def model() -> ContentModel:
    """Return the content model that the items follow."""
    kinds: dict[str, FieldKind] = {
        "title": "text",
        "body": "text",
        "price": "number",
        "related": "links",
        "image": "link",
        "location": "location",
    }
    fields = tuple(
        Field(id=name, name=name, kind=kind, type=kind, localized=name == "title") for name, kind in kinds.items()
    )
    types = tuple(ContentType(id=f"type{number}", fields=fields) for number in range(7))
    return ContentModel(content_types=types, locales=(Locale(code="en-US", default=True), Locale(code="de-DE")))


def items(count: int, per_page: int) -> Iterator[bytes]:
    """Yield the items of a whole initial sync, one JSON array per page."""
    chance = random.Random(1)
    for start in range(0, count, per_page):
        page = [item(number, chance) for number in range(start, min(start + per_page, count))]
        yield json.dumps(page, separators=(",", ":"), ensure_ascii=False).encode()


def around(next_url: str, *, last: bool) -> tuple[bytes, bytes]:
    """Return what stands before and after the items of a page."""
    member = "nextSyncUrl" if last else "nextPageUrl"
    return b'{"sys":{"type":"Array"},"items":', f',"{member}":"{next_url}"}}'.encode()


def page(array: bytes, next_url: str, *, last: bool) -> bytes:
    """Return the body of a page of these items."""
    before, after = around(next_url, last=last)
    return before + array + after


def pages(count: int, per_page: int, origin: str) -> list[bytes]:
    """Return the bodies of a whole initial sync; page N is requested with the token `N`."""
    arrays = list(items(count, per_page))
    url = f"{origin}{sync_path('master')}?sync_token="
    return [page(array, f"{url}{n}", last=n == len(arrays)) for n, array in enumerate(arrays, 1)]
