"""Weegloo: next URLs that hold a token, oldest change first, up to an empty page."""

from connector.simulator.weegloo import SPACE, TOKEN
from tests.unit.simulator.reader import Reader, in_url, replay_whole

PATH = f"/v1/spaces/{SPACE}/sync"
AUTHORISED = {"authorization": f"Bearer {TOKEN}"}

READER = Reader(
    path=PATH,
    headers=AUTHORISED,
    start={"initial": "true", "type": "All"},
    following=lambda page: in_url(page["nextSyncUrl"]),
    last=lambda page: not page["items"],
    replay=replay_whole,
    newest_first=False,
    spelled=lambda name: name.replace("_", "-"),
)
