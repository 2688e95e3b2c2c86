"""Canned sync pages: items of about 2 KB that look like content, the same in every run."""

import json
import random

SYNC_PATH = "/spaces/bench/environments/master/sync"


def item(number: int, chance: random.Random) -> dict[str, object]:
    """Return one entry with text, numbers, rich text and links."""
    words = ("river", "stone", "light", "garden", "paper", "signal", "harbour", "window", "metal", "cloud")
    text = " ".join(chance.choices(words, k=150))
    link = {"sys": {"type": "Link", "linkType": "Entry", "id": f"entry{chance.randrange(100_000)}"}}
    image = {"sys": {"type": "Link", "linkType": "Asset", "id": f"asset{chance.randrange(10_000)}"}}
    moment = f"2026-01-{1 + number % 28:02d}T{number % 24:02d}:{number % 60:02d}:{number // 60 % 60:02d}.{number % 1000:03d}Z"
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


def pages(items: int, per_page: int, origin: str) -> list[bytes]:
    """Return the bodies of a whole initial sync; page N is asked for with the token `N`."""
    chance = random.Random(1)
    bodies = []
    for start in range(0, items, per_page):
        body: dict[str, object] = {
            "sys": {"type": "Array"},
            "items": [item(number, chance) for number in range(start, min(start + per_page, items))],
        }
        last = start + per_page >= items
        body["nextSyncUrl" if last else "nextPageUrl"] = f"{origin}{SYNC_PATH}?sync_token={start // per_page + 1}"
        bodies.append(json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode())
    return bodies
