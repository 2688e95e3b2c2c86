"""The owner's report in the state topic: read as written, and never mistaken for anything else."""

import pytest

from connector.errors import StateTooNew
from connector.events import codec
from connector.events.owner_report import REPORT_KEY, REPORT_VERSION, OwnerReport, decode_report, encode_report
from connector.model.change import EntityKey


def test_a_report_is_read_as_written() -> None:
    """Every member, whatever script its texts are in."""
    report = OwnerReport(
        state="stopped",
        error="401 für den Schlüssel 🔑",
        hint="a new one",
        since=1_750_000_000_000,
        reported_at=2**53,
        owner="contentwire-host-1-0123abcd",
        dead_letters=7,
    )
    assert decode_report(encode_report(report)) == report


@pytest.mark.parametrize("value", [b"", encode_report(OwnerReport(version=REPORT_VERSION + 1))])
def test_a_report_of_a_later_release_is_not_guessed_at(value: bytes) -> None:
    """The error says to use that release; so it does for an empty record."""
    with pytest.raises(StateTooNew):
        decode_report(value)


@pytest.mark.parametrize("connection", ["b", "\0report", "x" * 300])
def test_no_entity_has_the_key_of_reports(connection: str) -> None:
    """However a connection is named: otherwise a report would replace what is known of the entity."""
    key = codec.encode_key(EntityKey(connection, "entry", "e1", "*"))
    assert not key.startswith(REPORT_KEY[:1])
