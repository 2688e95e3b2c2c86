"""Contentful's front end beside the Sync API: the space, its locales, single entities, errors and previews."""

import json

import pytest

from connector.simulator import Fault, Simulator
from connector.simulator.contentful import ENVIRONMENT, SPACE
from tests.unit.simulator.reader import body
from tests.unit.simulator.test_contentful import ask, items, token, walk

ENVIRONMENT_PATH = f"/spaces/{SPACE}/environments/{ENVIRONMENT}"


@pytest.fixture
def simulator() -> Simulator:
    """A small one."""
    return Simulator(seed=7, entries=250)


def test_the_space_and_its_locales_are_objects_of_their_own(simulator: Simulator) -> None:
    """`GET /spaces/{id}` names the space, and each locale has a `sys`."""
    space = body(ask(simulator, f"/spaces/{SPACE}"))
    assert space["sys"] == {"type": "Space", "id": SPACE}
    locales = body(ask(simulator, f"{ENVIRONMENT_PATH}/locales"))["items"]
    assert {each["code"] for each in space["locales"]} == {each["code"] for each in locales}
    assert {each["sys"]["type"] for each in locales} == {"Locale"}
    assert len({each["sys"]["id"] for each in locales}) == len(locales)


def test_one_entry_or_asset_is_delivered_by_its_id(simulator: Simulator) -> None:
    """In all locales like a sync item, in one or its fallback with `sys.locale` and plain values; else a 404."""
    listed = {item["sys"]["id"]: item for item in items(simulator, initial="true")}
    entry, gone, asset = *simulator.ids()[:2], simulator.ids("asset")[0]
    simulator.unpublish(gone)
    assert body(ask(simulator, f"{ENVIRONMENT_PATH}/entries/{entry}", locale="*")) == listed[entry]
    assert body(ask(simulator, f"{ENVIRONMENT_PATH}/assets/{asset}", locale="*")) == listed[asset]
    plain = body(ask(simulator, f"{ENVIRONMENT_PATH}/entries/{entry}", locale="de-DE"))
    assert plain["sys"].pop("locale") == "de-DE"
    assert plain["sys"] == listed[entry]["sys"]
    assert plain["fields"] == {name: by.get("de-DE", by["en-US"]) for name, by in listed[entry]["fields"].items()}
    assert ask(simulator, f"{ENVIRONMENT_PATH}/entries/{gone}").status == 404
    assert ask(simulator, f"{ENVIRONMENT_PATH}/assets/{entry}").status == 404
    assert ask(simulator, f"{ENVIRONMENT_PATH}/entries/{entry}", locale="xx").status == 400
    assert body(ask(simulator, f"{ENVIRONMENT_PATH}/content_types/blogPost"))["sys"]["id"] == "blogPost"


@pytest.mark.parametrize(
    ("status", "id"), [(401, "AccessTokenInvalid"), (403, "AccessDenied"), (404, "NotFound"), (503, "ServerError")]
)
def test_errors_name_themselves_and_the_request(simulator: Simulator, status: int, id: str) -> None:  # noqa: A002
    """A refusal of each status has its wording, and its request id is in both body and header."""
    simulator.push_fault("contentful", Fault("status", status=status))
    answer = ask(simulator, initial="true")
    error = json.loads(answer.body)
    assert (answer.status, error["sys"]["id"]) == (status, id)
    assert answer.headers["X-Contentful-Request-Id"] == error["requestId"]


def test_a_preview_delivers_drafts_only_in_an_initial_sync(simulator: Simulator) -> None:
    """With the quirk, unpublished entities are entries again, deleted ones are not, and a delta is refused."""
    draft, deleted = simulator.ids()[:2]
    simulator.unpublish(draft)
    simulator.delete(deleted)
    published = {item["sys"]["id"] for item in items(simulator, initial="true")}
    simulator.set_quirks("contentful", ["preview"])
    *_, last = walk(simulator, initial="true")
    listed = {item["sys"]["id"]: item for item in items(simulator, initial="true")}
    assert draft not in published
    assert listed[draft]["sys"]["type"] == "Entry"
    assert "fields" in listed[draft]
    assert deleted not in listed
    assert ask(simulator, sync_token=token(last)).status == 400
