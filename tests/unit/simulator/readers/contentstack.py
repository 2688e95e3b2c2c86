"""Contentstack: tokens beside the items, one item a locale, newest change first."""

from typing import Any

from connector.simulator.contentstack import API_KEY, ENVIRONMENT, TOKEN
from tests.unit.simulator.reader import Reader, State

PATH = "/v3/stacks/sync"
AUTHORISED = {"api_key": API_KEY, "access_token": TOKEN}


def _following(page: Any) -> dict[str, str]:
    name = "pagination_token" if "pagination_token" in page else "sync_token"
    return {name: page[name], "environment": ENVIRONMENT}


def _replay(state: State, item: Any) -> None:
    data = item["data"]
    if item["type"].endswith("_published"):
        state[data["uid"], data.get("publish_details", data)["locale"]] = data, item["content_type_uid"]
    elif item["type"] == "content_type_deleted":
        for key in [key for key, (_, content_type) in state.items() if content_type == item["content_type_uid"]]:
            del state[key]
    else:
        state.pop((data["uid"], data["locale"]), None)


READER = Reader(
    path=PATH,
    headers=AUTHORISED,
    start={"init": "true"},
    following=_following,
    last=lambda page: "pagination_token" not in page,
    replay=_replay,
)
