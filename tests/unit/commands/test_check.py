"""Findings of `check`, and the exit code of the most serious one."""

from connector.cms.vendor import Remark
from connector.commands.check import Finding, failure, refused, remarked, verdict
from connector.errors import BrokerUnavailable, ConfigError


def test_what_needs_fixing_comes_before_what_may_go_away() -> None:
    """Exit code 2 comes before 1 and 1 before 3; warnings fail nothing."""
    findings = [Finding("a", "failed", "", exit_code=code) for code in (3, 1, 2)]
    assert [verdict(findings[:count]) for count in (0, 1, 2, 3)] == [0, 3, 1, 2]
    assert verdict([Finding("a", "warning", "")]) == 0


def test_an_error_is_a_finding_with_its_hint_and_exit_code() -> None:
    """A script learns as much from it as a person does."""
    found = failure("broker", BrokerUnavailable("no broker answers", hint="check bootstrap_servers"))
    assert found == Finding("broker", "failed", "no broker answers", "check bootstrap_servers", 3)


def test_each_problem_of_a_configuration_is_a_finding() -> None:
    """Each problem is a finding; an error that lists none is one itself."""
    error = ConfigError("x.toml: 2 problems", hint="correct the file", problems=("kafka.a: no", "kafka.b: no"))
    assert refused(error) == [
        Finding("configuration", "failed", problem, "correct the file", 2) for problem in ("kafka.a: no", "kafka.b: no")
    ]
    assert [found.message for found in refused(ConfigError("x.toml: cannot be read"))] == ["x.toml: cannot be read"]


def test_a_remark_is_a_warning_under_its_setting() -> None:
    """It fails nothing, and names the stream and the setting."""
    (found,) = remarked("blog", [Remark("page_size", "is too large", "lower it")])
    assert found == Finding("blog: page_size", "warning", "is too large", "lower it", 0)
