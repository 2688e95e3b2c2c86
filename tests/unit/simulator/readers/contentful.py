"""Contentful: next URLs that hold a token, newest change first."""

from typing import Any

from connector.simulator.contentful import ENVIRONMENT, SPACE, TOKEN
from tests.unit.simulator.reader import Reader, in_url, replay_whole

PATH = f"/spaces/{SPACE}/environments/{ENVIRONMENT}/sync"
AUTHORISED = {"authorization": f"Bearer {TOKEN}"}


def _following(page: Any) -> dict[str, str]:
    return in_url(page.get("nextPageUrl") or page["nextSyncUrl"])


READER = Reader(
    path=PATH,
    headers=AUTHORISED,
    start={"initial": "true"},
    following=_following,
    last=lambda page: "nextPageUrl" not in page,
    replay=replay_whole,
)
