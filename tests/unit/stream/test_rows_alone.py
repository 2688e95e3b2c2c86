"""Rows without their events: tables that are switched on, off and on again, and a snapshot of rows alone."""

from collections.abc import Callable

import pytest

from connector.commands import edits
from connector.errors import ConnectorError, UnknownOutcome
from connector.events.policy import Policy
from connector.events.state_record import flat
from connector.model.checkpoint import Request
from connector.simulator import Field, Simulator
from connector.stream.follower import Follower
from connector.stream.runner import Bounds
from connector.tables.columns import Options
from connector.testing import Fault, fail_after_commit, fail_before_commit
from tests.published import seen
from tests.story import DAY, Steps, Told
from tests.tables import MemoryTables, differences, own_differences

Crash = Callable[[ConnectorError], Fault]
VENDORS = ("contentful", "contentstack", "weegloo")


class Switched:
    """A stream whose tables can be switched; each `run` is a new process."""

    def __init__(self, vendor: str) -> None:
        self.vendor = vendor
        self.cms = Simulator(seed=3, entries=24, page_sizes=dict.fromkeys(VENDORS, 5))
        self.store = MemoryTables()
        self.following = Told(self.cms, vendor, lambda: self.store)
        self.bounds = Bounds(items=4, interval=0.0, max_delete_share=1.0)
        # Less than a page: a crash may come within one.
        self.following.policy = Policy(commit_items=1)

    def tables(self, options: Options | None) -> None:
        """Configure tables, or none."""
        self.following.tables = options
        self.following.fingerprint = f"scope.topic:{options.locales}" if options else "scope.topic"

    def run(self) -> None:
        """Follow until the stream is current."""
        self.following.become_current(bounds=self.bounds)

    def days(self, count: int) -> None:
        """Follow for some days."""

        def story(_: Follower) -> Steps:
            yield count * DAY

        self.following.tell(story, bounds=self.bounds, poll_interval=DAY / 4)

    def differences(self) -> list[str]:
        """Return in what the tables differ from the CMS."""
        return differences(self.cms, self.vendor, self.store.rows())

    def changes(self, since: int) -> set[str]:
        """Return the entity types of the states that were published as events after the first `since` records.

        An API may report old removals in every snapshot: those of forgotten keys are published again.
        """
        records = [record for record in self.store.records[since:] if record.topic.endswith(".changes")]
        return {each.key.entity_type for each in seen(records) if each.op not in ("d", "tombstone")}

    def republish_rows(self) -> None:
        """Do as `contentwire snapshot --tables` does."""
        found = self.following.checkpoint()
        wanted = edits.snapshot(found, found.fingerprint, republish=None, allow_deletes=False, rows=True)
        self.following.checkpoint(**flat(wanted))

    def edit(self) -> None:
        """Edit the model and the content, with a removed locale, an unpublished and two deleted entries."""
        cms = self.cms
        cms.add_field("author", "nickname", "symbol", localized=True)
        cms.retype_field("product", "stock", "symbol")
        cms.add_content_type("note", [Field("title", "symbol", localized=True)])
        cms.publish("note")
        for kind in ("author", "product", "category"):
            for each in cms.ids(content_type=kind)[:2]:
                cms.edit(each)
        cms.publish(id=cms.ids(content_type="author")[1], locales=["en-US"])
        cms.delete(cms.ids(content_type="author")[0])
        cms.delete(cms.ids(content_type="product")[-1])
        cms.unpublish(cms.ids(content_type="category")[-1])


@pytest.fixture(name="switched", params=VENDORS)
def _switched(request: pytest.FixtureRequest) -> Switched:
    return Switched(request.param)


def test_switching_tables_on_publishes_no_event_again(switched: Switched) -> None:
    """Rows of everything that is there, each once; of events only those of the model, which were none before."""
    switched.run()
    before = len(switched.store.records)
    switched.tables(Options())
    switched.run()
    assert switched.changes(before) <= {"content_type", "locale"}
    assert switched.differences() == []
    written = switched.store.row_records()
    assert len(written) == len(set(written))
    rows = switched.store.rows()
    assert rows["_asset"]
    assert {row["table"] for row in rows["_content_type"].values()} >= rows.keys() - {
        "_asset",
        "_content_type",
        "_locale",
    }


def test_switching_tables_off_publishes_nothing(switched: Switched) -> None:
    """The stream goes on where it stands, in the same epoch: tables are left as they are."""
    switched.tables(Options())
    switched.run()
    before, epoch = len(switched.store.records), switched.following.checkpoint().position.epoch
    switched.tables(None)
    switched.run()
    assert switched.store.records[before:] == []
    after = switched.following.checkpoint()
    assert (after.position.epoch, after.fingerprint) == (epoch, "scope.topic")


@pytest.mark.parametrize("meanwhile", ["nothing", "weeks", "a snapshot"])
def test_no_stale_row_survives_tables_that_were_off(switched: Switched, meanwhile: str) -> None:
    """Whatever was edited, retyped or deleted without tables: once they are back they equal the CMS."""
    switched.tables(Options())
    switched.run()
    switched.tables(None)
    switched.run()
    switched.edit()
    switched.run()
    if meanwhile == "weeks":
        switched.days(20)
    if meanwhile == "a snapshot":
        switched.cms.expire_cursors()
        switched.run()
    before = len(switched.store.records)
    switched.tables(Options())
    switched.run()
    assert switched.differences() == []
    assert switched.changes(before) <= {"content_type", "locale"}
    assert switched.store.rows()["product"]


def test_rows_of_other_locales_replace_the_former_ones(switched: Switched) -> None:
    """Another choice of locales publishes no event, and leaves no row of a locale that is no longer chosen."""
    switched.tables(Options())
    switched.run()
    before = len(switched.store.records)
    switched.tables(Options(locales="default"))
    switched.run()
    assert switched.changes(before) == set()
    default = switched.cms.model(switched.vendor).locales[0].code
    assert {at for _, at in switched.store.rows()["author"]} == {default}
    switched.tables(Options())
    switched.run()
    assert switched.changes(before) == set()
    assert switched.differences() == []


def test_a_snapshot_of_rows_alone_writes_each_row_once(switched: Switched) -> None:
    """Rows that were lost are there again; what changed in the CMS meanwhile is published as ever."""
    switched.tables(Options())
    switched.run()
    switched.store.transactions = [
        [record for record in records if ".table." not in record.topic] for records in switched.store.transactions
    ]
    before = len(switched.store.records)
    switched.republish_rows()
    switched.run()
    assert switched.differences() == []
    assert switched.changes(before) == set()
    written = switched.store.row_records(before)
    assert len(written) == len(set(written)) > 20
    sequence = switched.following.checkpoint().progress.sequence
    rows = [row for rows in switched.store.rows().values() for row in rows.values()]
    assert {(row["_op"], row["_sequence"]) for row in rows} == {("r", sequence)}
    switched.republish_rows()
    one = switched.cms.ids(content_type="author")[0]
    switched.cms.edit(one)
    switched.run()
    assert switched.changes(before) == {"entry"}
    assert switched.differences() == []


@pytest.mark.parametrize("fails", [fail_before_commit, fail_after_commit])
def test_a_snapshot_of_rows_alone_goes_on_after_a_crash(switched: Switched, fails: Crash) -> None:
    """Wherever it was interrupted, what is left is written by the next process, and nothing twice."""
    switched.tables(Options())
    switched.run()
    lasted, number = True, 0
    while lasted:
        before, number = len(switched.store.records), number + 1
        switched.republish_rows()
        switched.store.faults.extend([*[None] * number, fails(UnknownOutcome("the process died"))])
        switched.following.catch_up(bounds=switched.bounds)
        lasted = not switched.store.faults
        switched.store.faults.clear()
        written = switched.store.row_records(before)
        assert len(written) == len(set(written)) > 20
        assert switched.changes(before) == set()
        assert switched.differences() == []
        assert switched.following.checkpoint().request == Request()
    assert number > 4


def test_a_content_type_that_is_gone_is_deleted_whenever_the_process_dies() -> None:
    """At each of the transactions by which the model is followed."""
    lasted, number = True, 0
    while lasted:
        switched = Switched("contentful")
        switched.tables(Options())
        switched.run()
        switched.cms.delete_content_type("category")
        switched.cms.add_content_type("note", [Field("title", "symbol")])
        switched.store.faults.extend([*[None] * number, fail_after_commit(UnknownOutcome("the process died"))])
        switched.following.catch_up(bounds=switched.bounds, poll_interval=0.0)
        lasted, number = not switched.store.faults, number + 1
        switched.store.faults.clear()
        switched.run()
        assert own_differences(switched.cms, "contentful", switched.store.rows()) == []
        assert switched.differences() == []
    assert number > 2
