"""The metrics: what each call changes, and that the documentation describes exactly what is exported."""

import re
from collections.abc import Callable
from pathlib import Path

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from connector.service.metrics import CONTENT_TYPE, Metrics
from connector.stream.status import STATES

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "metrics.md"

AT = 1_750_000_000.0

Calls = list[tuple[Callable[[Metrics], None], str, dict[str, str], float]]
CALLS: Calls = [
    (lambda m: m.events("blog", "u", 3), "contentwire_events_total", {"op": "u"}, 3),
    (lambda m: m.dead_letters("blog", "ItemBad", 2), "contentwire_dead_letters_total", {"error": "ItemBad"}, 2),
    (lambda m: m.retries("blog", "SourceUnavailable"), "contentwire_retries_total", {"error": "SourceUnavailable"}, 1),
    (lambda m: m.transactions("blog", "aborted"), "contentwire_transactions_total", {"outcome": "aborted"}, 1),
    (lambda m: m.page("blog", 7, 900, 0.3, AT), "contentwire_pages_total", {}, 1),
    (lambda m: m.page("blog", 7, 900, 0.3, AT), "contentwire_page_items_total", {}, 7),
    (lambda m: m.page("blog", 7, 900, 0.3, AT), "contentwire_page_bytes_total", {}, 900),
    (lambda m: m.page("blog", 7, 900, 0.3, AT), "contentwire_page_seconds_sum", {}, 0.3),
    (lambda m: m.page("blog", 7, 900, 0.3, AT), "contentwire_last_poll_success_timestamp_seconds", {}, AT),
    (lambda m: m.stale("blog", 4), "contentwire_stale_changes_total", {}, 4),
    (lambda m: m.locale_mismatch("blog"), "contentwire_locale_mismatches_total", {}, 1),
    (lambda m: m.walk_restarts("blog"), "contentwire_walk_restarts_total", {}, 1),
    (lambda m: m.committed("blog", 1_700_000_000.5), "contentwire_last_commit_timestamp_seconds", {}, 1_700_000_000.5),
    (lambda m: m.index_size("blog", 12), "contentwire_index_entries", {}, 12),
    (lambda m: m.held_deletes("blog", 9), "contentwire_held_deletes", {}, 9),
    (lambda m: m.freshness("blog", 4.0), "contentwire_freshness_seconds_bucket", {"le": "5.0"}, 1),
    (lambda m: m.freshness("blog", 4.0), "contentwire_freshness_seconds_bucket", {"le": "2.0"}, 0),
    (lambda m: m.transaction_seconds("blog", 0.03), "contentwire_transaction_seconds_sum", {}, 0.03),
]  # fmt: skip


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return what a scrape reads, by name and labels."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


@pytest.mark.parametrize(("call", "name", "labels", "value"), CALLS)
def test_each_call_is_seen_by_a_scrape(
    call: Callable[[Metrics], None], name: str, labels: dict[str, str], value: float
) -> None:
    """A call changes the documented sample of its connection."""
    metrics = Metrics()
    call(metrics)
    assert samples(metrics)[name, frozenset({"connection": "blog", **labels}.items())] == value


def test_counters_add_up_and_gauges_replace() -> None:
    """Counts accumulate over calls; a size is the last one given."""
    metrics = Metrics()
    for n in (2, 3):
        metrics.events("blog", "c", n)
        metrics.index_size("blog", n)
    labels = frozenset({("connection", "blog")})
    assert samples(metrics)["contentwire_events_total", labels | {("op", "c")}] == 5
    assert samples(metrics)["contentwire_index_entries", labels] == 3


def test_a_stream_is_in_one_state() -> None:
    """Exactly one of all states is 1, the last one given."""
    metrics = Metrics()
    metrics.states({"blog": "running"})
    metrics.states({"blog": "walk_starved"})
    states = {
        dict(labels)["state"]: value
        for (name, labels), value in samples(metrics).items()
        if name == "contentwire_stream_state"
    }
    assert states == {state: float(state == "walk_starved") for state in STATES}


def test_a_clock_ahead_of_ours_counts_as_no_delay() -> None:
    """An event from a CMS whose clock is ahead never reduces the sum of delays."""
    metrics = Metrics()
    metrics.freshness("blog", -3.0)
    labels = frozenset({("connection", "blog")})
    assert samples(metrics)["contentwire_freshness_seconds_sum", labels] == 0


def test_a_forgotten_stream_leaves_no_stale_gauge() -> None:
    """After a stream has moved to another process, its gauges are gone here; counters and other streams stay."""
    metrics = Metrics()
    for connection in ("blog", "shop"):
        metrics.states({connection: "running"})
        metrics.committed(connection, 1.0)
        metrics.index_size(connection, 1)
        metrics.held_deletes(connection, 1)
        metrics.events(connection, "c")
    metrics.forget("blog")
    metrics.forget("never-seen")
    left = {name for name, labels in samples(metrics) if ("connection", "blog") in labels}
    assert left == {"contentwire_events_total", "contentwire_events_created"} & {name for name, _ in samples(metrics)}
    assert ("contentwire_index_entries", frozenset({("connection", "shop")})) in samples(metrics)


def test_nothing_is_registered_globally() -> None:
    """Two processes' metrics can coexist; the library's own registry stays untouched."""
    first, second = Metrics(), Metrics()
    first.walk_restarts("blog")
    assert samples(first) != samples(second)
    assert b"contentwire" not in prometheus_client.generate_latest()


def test_the_documentation_describes_every_metric_and_no_other() -> None:
    """`docs/metrics.md` has one row for each metric, with its type, its labels and its help text."""
    rows = re.findall(r"(?m)^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", DOCUMENTATION.read_text(encoding="utf-8"))
    exported = set()
    for collector in Metrics().registry._collector_to_names:
        (family,) = collector.collect()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"`{label}`" for label in getattr(collector, "_labelnames", ()))
        exported.add((name, family.type, labels, family.documentation))
    assert set(rows) == exported
    assert len(rows) == len(exported)


def test_the_documentation_names_every_state() -> None:
    """Whoever writes an alert on the state finds every one."""
    text = DOCUMENTATION.read_text(encoding="utf-8")
    assert all(f"| `{state}` |" in text for state in STATES)


def test_the_content_type_is_prometheus_text() -> None:
    """A scraper learns which format it gets."""
    assert CONTENT_TYPE.startswith("text/plain; version=")
