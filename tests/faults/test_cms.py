"""Whatever the CMS answers, the stream ends up equal to it, and publishes each change once."""

import signal
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from connector.demo.proof import latest_state, sequence
from connector.devservers.broker import Broker
from connector.simulator import Fault, Simulator
from tests.cms import assert_holds
from tests.faults.deployment import VENDORS, Deployment, Edits, everyday
from tests.faults.proof import read

FAULTS = {
    "429 storm": [Fault("rate_limited", times=6, told=False), Fault("rate_limited", told=True)],
    "5xx burst": [Fault("status", status=status, times=2) for status in (500, 502, 503, 504)],
    "hanging response": [Fault("hang")],
    "connection reset": [Fault("reset", times=3)],
    "truncated gzip": [Fault("truncated_gzip", times=2), Fault("truncated_body", times=2)],
    "html": [Fault("html", times=2)],
    "duplicate page": [Fault("duplicate_page", on="cursor", after=1)],
    "empty page": [Fault("empty_page", after=1)],
    "cursor that comes back": [Fault("repeat_cursor", on="cursor")],
    "cursor refused midway": [Fault("refuse_cursor", on="cursor", after=1)],
    "cursor refused": [Fault("refuse_cursor", on="cursor")],
}
# If a 429 means a used-up quota, waiting takes its full time.
SPARED = {"429 storm": {"weegloo"}}
ENDED_BY_AN_EMPTY_PAGE = {"weegloo"}
TELLING = "contentful"
# Nothing in their answers distinguishes environments.
UNTELLING = tuple(name for name in VENDORS if name != TELLING)
REPRESENTATIVE = {"hanging response", "cursor refused midway"}


def deploy(kafka: Broker, prefix: str, folder: Path, vendors: Sequence[str] = VENDORS) -> Deployment:
    """Return a deployment with little patience for the CMS."""
    return Deployment(kafka, prefix, folder, vendors=vendors, connection={"request_timeout": 1.0})


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in REPRESENTATIVE else pytest.mark.faults) for name in FAULTS]
)
def test_fault_in_snapshot_and_delta_loses_and_repeats_nothing(
    kafka: Broker, prefix: str, tmp_path: Path, name: str
) -> None:
    """The same fault strikes in the snapshot and in a delta of every vendor."""
    with deploy(kafka, prefix, tmp_path) as deployment:
        for edits in (lambda _: None, everyday):
            deployment.change(edits)
            stricken = [vendor for vendor in VENDORS if vendor not in SPARED.get(name, ())]
            for vendor, fault in product(stricken, FAULTS[name]):
                deployment.simulator.push_fault(vendor, fault)
            deployment.follow()
            if name == "empty page":
                # If a walk ends with an empty page, the rest comes with the next one, a delta.
                deployment.follow()
            deployment.prove(cut_short=ENDED_BY_AN_EMPTY_PAGE if name == "empty page" else ())


@pytest.mark.faults
@pytest.mark.parametrize(
    "fault",
    [Fault("redirect", times=None), Fault("status", status=401, after=1, times=None)],
    ids=["redirect", "expired"],
)
def test_refusal_stops_the_stream_and_costs_nothing(kafka: Broker, prefix: str, tmp_path: Path, fault: Fault) -> None:
    """A redirect, or a credential that expires during a walk: stopped until a restart, which continues from there."""
    with deploy(kafka, prefix, tmp_path) as deployment:
        deployment.follow()
        deployment.change(everyday)
        for vendor in VENDORS:
            deployment.simulator.push_fault(vendor, fault)
        assert deployment.try_to_follow() == "stopped"
        deployment.simulator.clear_faults()
        deployment.follow()
        deployment.prove()


@pytest.mark.parametrize("mode", ["shift", pytest.param("refuse", marks=pytest.mark.faults)])
def test_content_that_changes_while_it_is_read_is_published_once(
    kafka: Broker, prefix: str, tmp_path: Path, mode: Any
) -> None:
    """Edits between two pages move items to pages already read, or make the CMS refuse the next page."""
    with deploy(kafka, prefix, tmp_path) as deployment:
        simulator = deployment.simulator
        deployment.follow()
        deployment.change(everyday)
        for vendor in VENDORS:
            simulator.set_mode(vendor, mode)
        # The slowest walk of the three: streams in the middle of another one then see it too.
        simulator.on_page("contentstack", 2, lambda: edit_others(simulator))
        deployment.follow()
        deployment.change(lambda _: None)
        deployment.follow()
        deployment.prove()


def edit_others(simulator: Simulator) -> None:
    """Edit entities that `everyday` leaves alone, as it takes the oldest."""
    for one in simulator.ids()[:5]:
        simulator.edit(one)


def test_cursors_that_expire_during_a_walk_lead_to_a_snapshot_that_repeats_nothing(
    kafka: Broker, prefix: str, tmp_path: Path
) -> None:
    """Every cursor is refused from the second page on: removals that only a comparison finds are published too."""
    with deploy(kafka, prefix, tmp_path) as deployment:
        simulator = deployment.simulator
        deployment.follow()
        deployment.change(everyday)
        for vendor in VENDORS:
            simulator.on_page(vendor, 1, partial(simulator.expire_cursors, vendor))
        deployment.follow()
        records = deployment.prove()
        origins = {record.event["origin"] for each in records.values() for record in each if record.event}
        assert "reconciled" in origins


@pytest.mark.parametrize("vendor", [TELLING, *(pytest.param(each, marks=pytest.mark.faults) for each in UNTELLING)])
def test_environment_swapped_under_the_token_is_followed_from_a_new_snapshot(
    kafka: Broker, prefix: str, tmp_path: Path, vendor: str
) -> None:
    """Detected by the API's answers or refused cursors: the former one's content is deleted, the new one's is read."""
    with swapping(kafka, prefix, tmp_path, vendor) as deployment:
        (ledger,) = deployment.ledgers.values()
        deployment.follow()
        deployment.simulator.swap_environment()
        if vendor in UNTELLING:
            deployment.simulator.expire_cursors(vendor)
        ledger.note_swap()
        deployment.follow()
        deployment.prove()


@pytest.mark.faults
@pytest.mark.parametrize("vendor", UNTELLING)
def test_environment_swapped_unnoticed_is_found_by_verify_and_repaired_by_a_snapshot(
    kafka: Broker, prefix: str, tmp_path: Path, vendor: str
) -> None:
    """An API that accepts old cursors as if nothing had happened: the operator's two commands repair it."""
    with swapping(kafka, prefix, tmp_path, vendor) as deployment:
        deployment.follow()
        deployment.simulator.swap_environment()
        deployment.follow()
        assert deployment.differences(vendor) > 0
        deployment.snapshot_all(vendor)
        deployment.follow()
        assert deployment.differences(vendor) == 0
        records = read(deployment.client, deployment.topic(vendor))
        assert_holds(latest_state(records, deployment.simulator.truth(vendor)), sequence(records))


def swapping(kafka: Broker, prefix: str, folder: Path, vendor: str) -> Deployment:
    """Return a deployment of one vendor that may delete everything."""
    return Deployment(kafka, prefix, folder, vendors=(vendor,), connection={"max_delete_share": 1.0})


@pytest.mark.faults
@pytest.mark.parametrize("edits", [lambda _: None, everyday], ids=["snapshot", "delta"])
def test_used_up_quota_holds_up_neither_a_stop_nor_a_restart(
    kafka: Broker, prefix: str, tmp_path: Path, edits: Edits
) -> None:
    """A storm of 429 that means a used-up quota is waited out for long; a restart continues from there."""
    with deploy(kafka, prefix, tmp_path, vendors=("weegloo",)) as deployment:
        if edits is everyday:
            deployment.follow()
        deployment.change(edits)
        deployment.simulator.push_fault("weegloo", Fault("rate_limited", times=2, after=1))
        for _ in range(2):
            owner = deployment.spawn(once=False)
            assert owner.said("QuotaExhausted", 60), owner.tail(40)
            owner.signal(signal.SIGTERM)
            assert owner.wait(8) == 1, owner.tail(40)
        deployment.follow()
        deployment.prove()


def test_skewed_clock_loses_no_change_of_another_key(kafka: Broker, prefix: str, tmp_path: Path) -> None:
    """Changes dated an hour ahead and then, of other keys, an hour too early arrive, each once."""
    with deploy(kafka, prefix, tmp_path) as deployment:
        deployment.follow()
        deployment.simulator.skew_clock(3600)
        deployment.change(everyday)
        deployment.follow()
        deployment.simulator.skew_clock(-3600)
        deployment.change(lambda simulator: [simulator.publish() for _ in range(5)])
        deployment.follow()
        deployment.prove()
