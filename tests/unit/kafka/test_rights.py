"""Missing rights: named all at once, as Kafka's own tools name them."""

import pytest

from connector.errors import BrokerFatal
from connector.kafka.rights import Lack, check


def test_nothing_missing_is_no_error() -> None:
    """A run may begin."""
    check([])


def test_every_missing_right_is_named() -> None:
    """In order, so that two runs say the same; and all of them, or each would take another run to find."""
    with pytest.raises(BrokerFatal) as refused:
        check([Lack("topic b", "WRITE"), Lack("group g", "READ"), Lack("topic b", "DESCRIBE")])
    assert str(refused.value) == "this account lacks READ on group g, DESCRIBE on topic b, WRITE on topic b"
    assert "docs/operations.md" in refused.value.hint
