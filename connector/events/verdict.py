"""What becomes of one change of a key, by what the index knows of the key. Pure functions of both."""

from typing import Literal, NamedTuple

from connector.events.index import IndexEntry
from connector.model.change import Change

SkipReason = Literal["stale", "repeated", "unchanged"]


class Standpoint(NamedTuple):
    """Where a stream stands while it judges: is it a snapshot, of which epoch, and is what it knew of another scope?"""

    snapshot: bool
    epoch: int
    rebased: bool


def skip_reason(
    change: Change, content: bytes | None, known: IndexEntry, at: Standpoint, *, republish: bool
) -> SkipReason | None:
    """Return why a change must not be published, None if it must.

    `content`: the digest of what it says, where it says anything. `republish`: an operator wants it published whether
    it changed or not.
    """
    # After a change of environment or filter, what an earlier epoch knew is no measure of this one's clocks.
    foreign = at.rebased and known.epoch != at.epoch
    if not foreign and is_stale(change, known):
        return "stale"
    if known.live != (change.change_type == "published"):
        return None
    same_item = known.digest == change.digest and known.change_type == change.change_type
    if not at.snapshot:
        return "repeated" if same_item else None
    if republish and known.epoch != at.epoch:
        return None
    same_clock = change.clock is not None and change.clock == known.changed_at
    same_revision = change.revision is not None and change.revision == known.revision
    same_version = same_clock and same_revision and not foreign
    same_content = known.live and content is not None and content == known.content
    return "unchanged" if same_item or (same_version and same_content) else None


def is_stale(change: Change, known: IndexEntry) -> bool:
    """Return whether nothing about a change is newer than what is known: neither its clock nor its revision.

    Revisions are compared between two published states only: those of delete markers count something else.
    """
    clock = change.clock
    if clock is None or known.changed_at is None or clock >= known.changed_at:
        return False
    comparable = known.live and change.change_type == "published"
    if comparable and change.revision is not None and known.revision is not None:
        return change.revision <= known.revision
    return True
