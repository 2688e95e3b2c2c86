"""Which host names the operators' port answers to."""

import pytest

from connector.config.site import Site


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:9464", True),
        ("10.1.2.3:9464", True),
        ("[::1]:9464", True),
        ("[fe80::1]", True),
        ("localhost", True),
        ("LOCALHOST:9464", True),
        ("metrics.example.com", True),
        ("metrics.example.com.:80", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:9464", False),
        ("metrics.example.com@evil.example", False),
        ("0x7f.1", False),
    ],
)
def test_only_known_names_are_answered(host: str, *, answered: bool) -> None:
    """A name that merely points at this address reads nothing; addresses, localhost and configured names do."""
    assert Site("127.0.0.1", 1, frozenset({"Metrics.example.com"})).answers_to(host) is answered


def test_the_name_that_is_listened_on_is_answered() -> None:
    """In any case: names are case-insensitive."""
    site = Site("CMS.internal", 9464)
    assert site.answers_to("cms.INTERNAL:9464")
    assert not site.answers_to("internal:9464")


@pytest.mark.parametrize("header", [None, ""])
def test_a_request_without_a_host_is_answered(header: str | None) -> None:
    """No browser sends such a request, so no name was repointed."""
    assert Site("127.0.0.1", 1).answers_to(header)
