"""The report of a proof: counts by table, the verdict, and what to run next."""

from connector.testing import ManualClock
from connector.verify.comparison import Comparison, Difference, Kind
from connector.verify.proof import Report
from tests.unit.verify.given import entry, given, held
from tests.values import entry_key, published


def test_a_report_counts_by_table() -> None:
    """Each table has its equal, missing, stale and extra keys, even if none is equal; a limit bounds the list."""
    comparison = Comparison(
        given(published("e1")), held(entry(published("e2")), entry(published("e3"))), ManualClock(), shallow=True
    )
    comparison.compare_all()
    report = Report({"page": 4}, tuple(comparison.differences.values()), unreadable=1, set_aside=2)
    assert report.counts() == [("page", 4, 0, 0, 0), ("post", 0, 1, 0, 2)]
    facts = report.facts(1)
    assert (facts["proven"], facts["unreadable"], facts["set_aside"], len(facts["differences"])) == (False, 1, 2, 1)
    assert Report({"page": 4}, (), unreadable=1).proven


def test_rows_are_counted_beside_their_entities() -> None:
    """By table as well, with their own differences; one of them is enough to disprove."""
    key = entry_key("e1", "de-DE")
    row = Difference("stale", key, "post", 2, 1, columns=("title",))
    report = Report({"post": 1}, (), equal_rows={"post": 2, "page": 1}, row_differences=(row,))
    assert not report.proven
    assert report.row_counts() == [("page", 1, 0, 0, 0), ("post", 2, 0, 1, 0)]
    rows = report.facts(None)["rows"]
    assert rows["counts"][1] == {"table": "post", "equal": 2, "missing": 0, "stale": 1, "extra": 0}
    assert rows["differences"][0]["columns"] == ("title",)
    assert report.facts(None)["differences"] == []


def test_entities_with_other_rows_are_published_again_by_name() -> None:
    """Each once, an extra row's too, as only then the stream looks for it; many with everything, and with consent."""
    kinds: tuple[Kind, ...] = ("missing", "stale", "extra")
    rows = [Difference(kind, entry_key("e1", kind), "post", 1, 1) for kind in kinds]
    assert Report({}, (), row_differences=tuple(rows)).command("blog")[3:] == ["--entity", "e1"]
    many = [Difference("extra", entry_key(f"e{number}"), "post", None, 1) for number in range(20)]
    assert Report({}, (), row_differences=tuple(many)).command("blog")[3:] == ["--all", "--allow-deletes"]
    older = Difference("stale", entry_key(), "post", 1, 2, older=True)
    assert Report({}, (), row_differences=(older,)).command("blog")[3:] == ["--all"]
