"""Where streams stand, as `status` shows it to a person."""

from collections.abc import Iterable
from typing import Final

from connector.cli.terminal import moment, table
from connector.commands.status import Stream
from connector.events.owner_report import OwnerReport
from connector.events.state_record import requested

_STREAM: Final = ("connection", "state", "phase", "events", "last commit", "dead letters", "owner", "what is wrong")


def streams(found: Iterable[Stream]) -> str:
    """Return where streams stand."""
    return table(_STREAM, map(_stream, found))


def _stream(stream: Stream) -> tuple[object, ...]:
    owner = f"{stream.owner.client_id} at {stream.owner.host}" if stream.owner else "nobody"
    at, said = stream.checkpoint, stream.report or OwnerReport(error=stream.error, hint=stream.hint)
    state = said.state if stream.report and stream.stopped else stream.state
    wrong = "; ".join(filter(None, (said.error, said.hint))) if stream.state != "paused" else ""
    if at is None:
        phase = "" if stream.error else "never run"
        return (stream.connection, state, phase, "", "", said.dead_letters or "", owner, wrong)
    asked = f"asked: {wanted}" if (wanted := requested(at)) and stream.state != "paused" else ""
    wrong = "; ".join(filter(None, (wrong, asked)))
    letters = said.dead_letters or ""
    reached = (at.position.phase, at.progress.sequence, moment(at.committed_at))
    return (stream.connection, state, *reached, letters, owner, wrong)
