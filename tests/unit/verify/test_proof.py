"""The report of a proof: counts by table, the verdict, and what to run next."""

from connector.testing import ManualClock
from connector.verify.comparison import Comparison
from connector.verify.proof import Report
from tests.unit.verify.given import entry, given, held
from tests.values import published


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
