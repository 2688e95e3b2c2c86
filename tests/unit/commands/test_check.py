"""What an examination comes to: a finding for each look, and the exit code of the gravest."""

from connector.commands.check import Finding, verdict


def test_what_has_to_be_corrected_comes_before_what_may_pass_by_itself() -> None:
    """An examination ends with 2 before 1 before 3, and warnings fail nothing."""
    findings = [Finding("a", "failed", "", exit_code=code) for code in (3, 1, 2)]
    assert [verdict(findings[:count]) for count in (0, 1, 2, 3)] == [0, 3, 1, 2]
    assert verdict([Finding("a", "warning", "")]) == 0
