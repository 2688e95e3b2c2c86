"""The comparison of both sides of a proof, without a broker: what differs, and for how long that is tolerated."""

import json
from collections.abc import Callable

import msgspec
import pytest

from connector.model.checkpoint import Position
from connector.testing import ManualClock
from connector.verify.comparison import Comparison, Difference, RowKey
from connector.verify.proof import Report
from connector.verify.sides import Delivered, Published
from tests.unit.verify.given import entry, given, held, row
from tests.values import clock, entry_key, page, published, removed


def compared(ours: Delivered, theirs: Published, *, deep: bool = False) -> list[tuple[str, str]]:
    """Return the differences: kind and id."""
    comparison = Comparison(ours, theirs, ManualClock(), shallow=not deep)
    comparison.compare_all()
    return sorted((each.kind, each.key.id) for each in comparison.differences.values())


def test_each_kind_of_difference_is_found() -> None:
    """Missing, stale and extra keys are reported; equal ones are counted by table."""
    ours = given(published("same"), published("missing"), published("stale", 2, fields=b'{"title":"new"}'))
    theirs = held(entry(published("same")), entry(published("stale", 1)), entry(published("extra")))
    assert compared(ours, theirs) == [("extra", "extra"), ("missing", "missing"), ("stale", "stale")]
    comparison = Comparison(ours, theirs, ManualClock(), shallow=True)
    comparison.compare_all()
    assert dict(comparison.equal) == {"post": 1}


@pytest.mark.parametrize("flat", [False, True])
def test_removed_keys_are_on_neither_side(*, flat: bool) -> None:
    """A delete event takes a key away, and so does a tombstone alone, as compaction leaves it."""
    live = entry(published("e1"), flat=flat)
    delete = msgspec.structs.replace(live, value={**(live.value or {}), "op": "d", "after": None})
    assert compared(given(), held(live, delete)) == []
    assert compared(given(), held(live, entry(removed("e1")))) == []
    assert compared(given(), held(delete, live)) == [("extra", "e1")]


@pytest.mark.parametrize("flat", [False, True])
def test_an_entity_that_came_back_older_than_its_removal_needs_everything_again(*, flat: bool) -> None:
    """The stream would take it for stale; a lone tombstone does not say when, so it is assumed to be later."""
    live = entry(published("e1", 5), flat=flat)
    delete = msgspec.structs.replace(live, value={**(live.value or {}), "op": "d", "after": None})
    tombstone = entry(removed("e1"))
    cases = [((live, delete, tombstone), 3, True), ((live, delete), 5, False), ((tombstone,), 3, True), ((), 3, False)]
    for records, second, older in cases:
        comparison = Comparison(given(published("e1", second)), held(*records), ManualClock(), shallow=False)
        comparison.compare_all()
        (found,) = comparison.differences.values()
        assert (found.kind, found.older) == ("missing", older)
        asked = Report({}, (found,)).command("blog")[3:]
        assert asked == (["--all"] if older else ["--entity", "e1"])


@pytest.mark.parametrize("flat", [False, True])
def test_equal_is_the_same_revision_and_clock_or_the_same_content(*, flat: bool) -> None:
    """Without `deep` either is enough; with it only the content counts. Both envelopes give the same result."""
    change = published("e1", 3, fields=b'{"a":1,"b":2}')
    rewritten = entry(change, flat=flat, revision=2, fields='{"b":2.0,"a":1}')
    tampered = entry(change, flat=flat, fields='{"a":1,"b":3}')
    for deep in (False, True):
        assert compared(given(change), held(entry(change, flat=flat)), deep=deep) == []
        assert compared(given(change), held(rewritten), deep=deep) == []
    assert compared(given(change), held(tampered), deep=False) == []
    assert compared(given(change), held(tampered), deep=True) == [("stale", "e1")]


def test_without_a_clock_or_a_revision_the_content_decides() -> None:
    """Two unknown revisions are not equal, and the event of an item without a clock carries ours."""
    change = published("e1", 3, revision=None)
    other = entry(published("e1", 3), revision=None, fields='{"title":"other"}')
    assert compared(given(change), held(other)) == [("stale", "e1")]
    clockless = msgspec.structs.replace(published("e1", 0), changed_at=None)
    assert compared(given(clockless), held(entry(clockless, fields='{"title":"other"}'))) == [("stale", "e1")]


def test_a_clock_is_compared_as_exactly_as_an_event_holds_it() -> None:
    """Events carry milliseconds: a smaller difference does not count, a millisecond does."""
    finer = published("e1", 3, changed_at=clock(3).replace("000Z", "0004Z"))
    later = published("e1", 3, changed_at=clock(3).replace("000Z", "001Z"))
    other = entry(published("e1", 3), fields='{"title":"other"}')
    assert compared(given(finer), held(other)) == []
    assert compared(given(later), held(other)) == [("stale", "e1")]


def test_a_reference_stands_for_exactly_the_item_it_names() -> None:
    """An event without content is equal if the CMS still delivers the item whose digest it carries."""
    change = published("big", 3)
    for digest, found in ((change.digest.hex(), []), ("00" * 16, [("stale", "big")])):
        meta = json.dumps({"contentwire_reference": {"bytes": 9, "digest": digest, "id": "big"}})
        assert compared(given(change), held(entry(change, fields=None, meta=meta)), deep=True) == found


def test_an_item_among_the_dead_letters_is_set_aside() -> None:
    """A key whose current item was too large is known to be absent; one with another item is still a difference."""
    ours = given(published("e1"), published("e2"))
    comparison = Comparison(ours, held(), ManualClock(), shallow=True)
    comparison.compare_all()
    assert comparison.set_aside({published("e1").digest}) == 1
    assert list(comparison.differences) == [entry_key("e2")]


def test_comparing_again_resolves_and_counts() -> None:
    """A key that agrees now is equal, one that left both sides is neither; nothing is counted twice."""
    ours, theirs = given(published("e1"), published("e2")), held()
    comparison = Comparison(ours, theirs, ManualClock(), shallow=True)
    comparison.compare_all()
    theirs.take([entry(published("e1"))])
    ours.traces.pop(entry_key("e2"))
    comparison.compare(list(comparison.differences))
    assert (comparison.differences, dict(comparison.equal)) == ({}, {"post": 1})
    assert theirs.go_on == {("t", 2): 8}


def looks(comparison: Comparison, patience: float, read_on: Callable[[], object] = lambda: None) -> int:
    """Return how often the differences are compared again, each time after `read_on`."""
    comparison.compare_all()
    return len([read_on() for _ in comparison.settle(patience)])


def test_a_difference_gets_the_time_of_a_walk() -> None:
    """As long as the stream may take for its next walk, and no longer; a key that agrees is no longer waited for."""
    clock, theirs = ManualClock(), held()
    assert looks(Comparison(given(published("e1")), theirs, clock, shallow=True), 30.0) > 1
    assert clock.monotonic() == 30.0
    late = Comparison(given(published("e1")), theirs, clock, shallow=True)
    assert looks(late, 30.0, lambda: theirs.take([entry(published("e1"))])) == 1
    assert late.differences == {}


def test_a_difference_that_never_settles_is_given_up() -> None:
    """A key that the CMS keeps changing gets more time, but not indefinitely."""
    clock, ours = ManualClock(), given(published("e1"))
    seconds = iter(range(2, 10_000))

    def change() -> None:
        ours._take(page(published("e1", next(seconds)), after=Position()))

    looks(Comparison(ours, held(), clock, shallow=True), 30.0, change)
    assert clock.monotonic() == 4 * 30.0


def test_a_topic_that_moves_on_is_compared_as_it_was_before_the_cms_was_read() -> None:
    """While content keeps changing, the topic may be ahead of what was read: its earlier state is enough."""
    ours, theirs = given(published("e1", 2)), held(entry(published("e1", 2)))
    before = dict(theirs.traces)
    theirs.take([entry(published("e1", 3, fields=b'{"title":"newer"}'))])
    comparison = Comparison(ours, theirs, ManualClock(), shallow=True)
    comparison.compare([entry_key()])
    assert list(comparison.differences) == [entry_key()]
    comparison.compare([entry_key()], before)
    assert comparison.differences == {}


def with_rows(ours: Delivered, theirs: Published) -> Comparison:
    """Return the comparison of two sides, made."""
    comparison = Comparison(ours, theirs, ManualClock(), shallow=False)
    comparison.compare_all()
    return comparison


def test_rows_are_compared_one_by_one() -> None:
    """Missing, stale with its columns, extra in a locale and of an entity that is gone; equal ones count by table."""
    change = published("e1")
    ours = given(change, rows={"e1": {"en-US": "same", "de-DE": "new", "nl-NL": "none"}})
    theirs = held(entry(change))
    theirs.take_rows([row("e1", "en-US", "same"), row("e1", "de-DE", "old"), row("e1", "fr-FR", "x"), row("e2", "*")])
    comparison = with_rows(ours, theirs)
    assert {(each.entity.id, each.locale): found.kind for each, found in rows_of(comparison)} == {
        ("e1", "de-DE"): "stale",
        ("e1", "nl-NL"): "missing",
        ("e1", "fr-FR"): "extra",
        ("e2", "*"): "extra",
    }
    assert [found.columns for each, found in rows_of(comparison) if each.locale == "de-DE"] == [("title",)]
    assert (dict(comparison.equal), dict(comparison.equal_rows)) == ({"post": 1}, {"post": 1})


def rows_of(comparison: Comparison) -> list[tuple[RowKey, Difference]]:
    """Return the differences in rows."""
    return [(key, found) for key, found in comparison.differences.items() if isinstance(key, RowKey)]


def test_a_row_that_the_topic_has_in_a_newer_state_needs_everything_again() -> None:
    """As after a restored backup: the stream would take the entity for stale."""
    change = published("e1", 3)
    ours = given(change, rows={"e1": {"en-US": "a"}})
    for second, older in ((3, False), (4, True)):
        theirs = held(entry(change))
        theirs.take_rows([row("e1", "en-US", "b", second)])
        ((_, found),) = rows_of(with_rows(ours, theirs))
        assert (found.kind, found.older) == ("stale", older)


def test_a_withheld_row_is_excused_by_its_letter_alone() -> None:
    """The item's other rows are not, nor is its event; without an event for a letter, none of its rows is there."""
    change = published("e1")
    ours = given(change, rows={"e1": {"en-US": None, "de-DE": "a"}})
    for items, of_rows, left in (
        ([], [], {"en-US", "de-DE", "*"}),
        ([], [change.digest], {"de-DE", "*"}),
        ([change.digest], [], set()),
    ):
        comparison = with_rows(ours, held())
        assert comparison.set_aside(items, of_rows) == (1 if len(left) < 3 else 0)
        assert {getattr(key, "locale", "") for key in comparison.differences} == left


def test_a_withheld_row_that_keeps_its_former_state_needs_its_letter_as_well() -> None:
    """Whatever that state is: without a letter, nothing says why the row is not as the CMS has it."""
    change = published("e1")
    ours, theirs = given(change, rows={"e1": {"en-US": None}}), held(entry(change))
    theirs.take_rows([row("e1", "en-US", "t")])
    comparison = with_rows(ours, theirs)
    assert [found.kind for _, found in rows_of(comparison)] == ["stale"]
    assert comparison.set_aside([], [change.digest]) == 1
    assert comparison.differences == {}


def test_an_optional_row_is_equal_if_it_is_there_and_no_difference_if_not() -> None:
    """But it is stale with another value."""
    change = published("e1")
    ours, theirs = given(change, rows={"e1": {"en-US": "a"}}), held(entry(change))
    trace = ours.traces[entry_key()]
    rows = {place: msgspec.structs.replace(each, optional=True) for place, each in trace.rows.items()}
    ours.traces[entry_key()] = msgspec.structs.replace(trace, rows=rows)
    found = with_rows(ours, theirs)
    assert (found.differences, dict(found.equal_rows)) == ({}, {})
    for title, kinds in (("a", []), ("b", ["stale"])):
        theirs.take_rows([row("e1", "en-US", title)])
        assert [each.kind for _, each in rows_of(with_rows(ours, theirs))] == kinds


def test_rows_of_an_item_that_cannot_be_read_are_not_extra() -> None:
    """It is in the dead letters, not gone."""
    ours, theirs = given(), held()
    ours.unreadable.add("e1")
    theirs.take_rows([row("e1", "en-US")])
    assert with_rows(ours, theirs).differences == {}


def test_rows_get_the_time_of_a_walk_too() -> None:
    """A row that the stream writes meanwhile is equal in the end, and counted once."""
    ours, theirs = given(published("e1"), rows={"e1": {"en-US": "a", "de-DE": "b"}}), held(entry(published("e1")))
    theirs.take_rows([row("e1", "en-US", "a")])
    comparison = Comparison(ours, theirs, ManualClock(), shallow=False)
    assert looks(comparison, 30.0, lambda: theirs.take_rows([row("e1", "de-DE", "b")])) == 1
    assert (comparison.differences, dict(comparison.equal_rows), dict(comparison.equal)) == (
        {},
        {"post": 2},
        {"post": 1},
    )
