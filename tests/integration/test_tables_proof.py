"""Typed tables equal the CMS after hundreds of edits of its model and content, with faults and kills on the way.

The judge is `tests.tables`, which knows what the simulated CMS holds, and nothing of how rows are made.
"""

from collections import Counter
from collections.abc import Callable  # noqa: TC003  as everything else here
from random import Random
from typing import Any, get_args

import httpx
import pytest

from connector.devservers.broker import Broker
from connector.simulator import FieldType
from connector.vendors import names
from tests.consumer import consume
from tests.faults.deployment import Deployment
from tests.published import letters
from tests.tables import Reader, differences, own_differences

TYPES: tuple[FieldType, ...] = get_args(FieldType)
FAULTS = ("reset", "truncated_body", "status", "duplicate_page", "truncated_gzip")
KILLS = {1: "http:1", 2: "commit.before:5", 3: "begin.after:1", 4: "commit.after:1"}
ROWS_ALONE = 2
FULL = 100


class Editors:
    """People who edit a simulated space through its admin API, as `seed` decides; `done` counts their edits."""

    def __init__(self, client: httpx.Client, vendor: str, seed: int, *, rename: bool) -> None:
        self.done: Counter[str] = Counter()
        self._client = client
        self._vendor = vendor
        self._random = Random(seed)
        self._edits: list[tuple[int, Callable[[], tuple[str, dict[str, Any]]]]] = [
            (10, self._add_field),
            (5, self._remove_field),
            (8, self._retype_field),
            (3 if rename else 0, self._rename_field),
            (2, self._add_type),
            (1, self._delete_type),
            (15, lambda: ("publish", {"content_type": self._type()})),
            (25, lambda: ("edit", {"id": self._entry()})),
            (4, lambda: ("edit", {"id": self._entry(), "locales": self._locales()})),
            (6, lambda: ("unpublish", {"id": self._entry()})),
            (3, lambda: ("unpublish", {"id": self._entry(), "locale": "de-DE"})),
            (7, lambda: ("delete", {"id": self._entry()})),
            (5, lambda: ("publish", {"id": self._entry()})),
            (3, lambda: ("edit", {"id": self._any(self.ask("ids", kind="asset"))})),
            (2, lambda: ("publish", {"kind": "asset"})),
            (1, lambda: ("delete", {"id": self._any(self.ask("ids", kind="asset"))})),
        ]

    def ask(self, method: str, **arguments: Any) -> Any:
        """Call a method that must succeed; return its result."""
        return self._client.post(f"/_admin/{method}", json=arguments).raise_for_status().json()["result"]

    def edit(self, count: int) -> None:
        """Make as many edits; what the CMS refuses is none."""
        weights = [weight for weight, _ in self._edits]
        made = 0
        while made < count:
            ((_, choose),) = self._random.choices(self._edits, weights)
            method, arguments = choose()
            if self._client.post(f"/_admin/{method}", json=arguments).is_success:
                self.done[method] += 1
                made += 1

    def _any(self, among: list[Any]) -> Any:
        return among[self._random.randrange(len(among))]

    def _entry(self) -> str:
        return str(self._any(self.ask("ids")))

    def _types(self) -> list[dict[str, Any]]:
        # This one writes the ids as they were given.
        return list(self.ask("model", vendor="weegloo")["content_types"])

    def _type(self) -> str:
        return str(self._any(self._types())["id"])

    def _field(self) -> tuple[str, str]:
        found = self._any(self._types())
        return found["id"], self._any(found["fields"])["name"]

    def _name(self) -> str:
        return f"extra{self._random.randrange(1000)}"

    def _locales(self) -> list[str]:
        return self._random.sample(["en-US", "de-DE", "fr-FR"], 2)

    def _add_field(self) -> tuple[str, dict[str, Any]]:
        kind, localized = self._random.choice(TYPES), self._random.random() < 0.5
        found = {"content_type": self._type(), "name": self._name(), "type": kind, "localized": localized}
        return "add_field", {**found, "target": "author"} if kind in ("entry", "entries") else found

    def _remove_field(self) -> tuple[str, dict[str, Any]]:
        of, name = self._field()
        return "remove_field", {"content_type": of, "name": name}

    def _retype_field(self) -> tuple[str, dict[str, Any]]:
        of, name = self._field()
        return "retype_field", {"content_type": of, "name": name, "type": self._random.choice(TYPES)}

    def _rename_field(self) -> tuple[str, dict[str, Any]]:
        of, name = self._field()
        return "rename_field", {"content_type": of, "name": name, "to": self._name()}

    def _add_type(self) -> tuple[str, dict[str, Any]]:
        fields = [{"name": "title", "type": "symbol", "localized": True}, {"name": self._name(), "type": "number"}]
        return "add_content_type", {"id": f"kind{self._random.randrange(1000)}", "fields": fields}

    def _delete_type(self) -> tuple[str, dict[str, Any]]:
        return "delete_content_type", {"content_type": self._type()}


@pytest.mark.parametrize(
    ("vendor", "at_once", "content_types"),
    [
        pytest.param("contentful", 33, 6, marks=pytest.mark.faults),
        *(pytest.param(vendor, FULL, 20, marks=pytest.mark.faults) for vendor in names()),
    ],
)
def test_tables_equal_the_cms_after_hundreds_of_edits(
    request: pytest.FixtureRequest, kafka: Broker, vendor: str, at_once: int, content_types: int
) -> None:
    """Twenty content types, three locales and more, five hundred edits (fewer in short), broken answers, four kills.

    One of them is in the middle of a snapshot of rows alone.
    """
    registry, prefix, folder = map(request.getfixturevalue, ("registry", "prefix", "tmp_path"))
    settings: dict[str, Any] = {"kafka": {"registry": {"url": registry}}, "connection": {"tables": True}}
    settings |= {"entries": 4 * content_types, "content_types": content_types}
    deployment = Deployment(kafka, prefix, folder, vendors=(vendor,), **settings)
    with deployment, httpx.Client(base_url=deployment.simulator.url()) as client:
        editors = Editors(client, vendor, seed=23, rename=vendor != "weegloo")
        reader = Reader(kafka.client, registry, f"{prefix}.{vendor}.table.")
        deployment.follow()
        rounds = 5 if at_once == FULL else 3
        for number in range(rounds):
            editors.edit(at_once)
            editors.ask("push_fault", vendor=vendor, kind=FAULTS[number % len(FAULTS)], on="any", after=number % 3)
            edit = {"method": "churn", "arguments": {"count": 3}}
            editors.ask("on_page", vendor=vendor, page=1, edits=[edit])
            if number == rounds // 2:
                editors.ask("add_locale", code="nl-NL", fallback="en-US")
                editors.ask("expire_cursors", vendor=vendor)
            if number == ROWS_ALONE:
                deployment.snapshot_rows(vendor)
            if number in KILLS:
                deployment.spawn(at={vendor: KILLS[number]}).die()
            deployment.follow()
        if vendor == "weegloo":
            # Its API reports no deleted content type: a snapshot proves it.
            editors.ask("expire_cursors", vendor=vendor)
            deployment.follow()
        # A value whose type came and went between two polls fits nowhere: its entry is published again, as advised.
        set_aside = {each["item_id"] for each in letters(consume(kafka.client, f"{prefix}.{vendor}.dead-letters"))}
        for one in set_aside & set(editors.ask("ids")):
            editors.ask("edit", id=one)
        assert len(set_aside) < at_once / 5
        deployment.follow()
        held, simulator = reader.rows(), deployment.simulator
        assert differences(simulator, vendor, held) == []
        assert own_differences(simulator, vendor, held) == []
