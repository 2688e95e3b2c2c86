"""What the owner last said of its stream: kept beside the checkpoint in the state topic, for others to read. Pure."""

import msgspec

from connector.events import codec
from connector.events.index import check_version

# No index key can equal it: those begin with the (never zero) length of the connection's name.
REPORT_KEY = b"\x00report"
REPORT_VERSION = 1


class OwnerReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an owner last said: each of its transactions carries one, and so does a change of state without events.

    - `state`, `error`, `hint`: as in `StreamStatus`, without secrets. `since`: when that state began.
    - `reported_at`: when it was said. `owner`: the client id of who said it, empty if nobody has.
    - `dead_letters`: the stream's count since its beginning. Times are milliseconds since 1970.
    """

    version: int = REPORT_VERSION
    state: str = ""
    error: str = ""
    hint: str = ""
    since: int = 0
    reported_at: int = 0
    owner: str = ""
    dead_letters: int = 0


def encode_report(report: OwnerReport) -> bytes:
    """Return the state record's value."""
    return codec.encode("owner_report", msgspec.structs.asdict(report))


def decode_report(value: bytes) -> OwnerReport:
    """Return the report of a state record; raises `StateTooNew` for a version this release does not know."""
    check_version(value, REPORT_VERSION)
    return OwnerReport(**codec.decode("owner_report", value))
