"""What becomes of one change of a key, given what the index knows of the key. Pure functions of both."""

from typing import Literal, NamedTuple

from msgspec.structs import replace

from connector.events import envelope
from connector.events.envelope import Op, Origin
from connector.events.filters import wanted
from connector.events.index import IndexEntry
from connector.events.policy import Policy
from connector.model.change import Change
from connector.model.checkpoint import Republish, Selection

SkipReason = Literal["stale", "repeated", "unchanged"]
LeftOut = Literal["filtered", "unseen_delete"] | SkipReason


class Standpoint(NamedTuple):
    """Where a stream stands while it judges.

    Is it a snapshot; of which epoch; was what it knew of another scope; what is published even if it did not change;
    are the rows of all of it due?
    """

    snapshot: bool
    epoch: int
    rebased: bool = False
    republish: Republish = None
    rows: bool = False


class Case(NamedTuple):
    """One change of one key under judgement, with what the index knows of the key.

    `content`: the digest of what the change says, None if it says nothing.
    """

    change: Change
    origin: Origin
    known: IndexEntry | None
    content: bytes | None


class Verdict(NamedTuple):
    """What is published for a change, unless `left_out` says why nothing is.

    `unseen`: it removes something that was never live here.
    """

    change: Change
    left_out: LeftOut | None = None
    unseen: bool = False


def judge(case: Case, at: Standpoint, policy: Policy) -> Verdict:
    """Return what becomes of a change: left out because of filters, what is known, or the policy; or published."""
    change, known = case.change, case.known
    if case.origin != "reconciled" and not wanted(policy, change.key, envelope.content_type(change, known)):
        if known is None or not known.live or known.epoch != at.epoch:
            return Verdict(change, "filtered")
        # It was published under another content type: consumers must not keep it.
        change = _departed(change, known)
    if known and (reason := skip_reason(change, case.content, known, at)):
        return Verdict(change, reason)
    unseen = change.change_type != "published" and not (known and known.live)
    return Verdict(change, "unseen_delete" if unseen and policy.unseen_deletes == "suppress" else None, unseen)


def skip_reason(change: Change, content: bytes | None, known: IndexEntry, at: Standpoint) -> SkipReason | None:
    """Return why a change of a known key must not be published, None if it must."""
    # After a change of environment or filter, clocks of an earlier epoch cannot be compared with this one's.
    foreign = at.rebased and known.epoch != at.epoch
    if not foreign and is_stale(change, known):
        return "stale"
    if known.live != (change.change_type == "published"):
        return None
    same_item = known.digest == change.digest and known.change_type == change.change_type
    if not at.snapshot:
        return "repeated" if same_item else None
    if known.epoch != at.epoch and _asked_for(change, at.republish):
        return None
    same_clock = change.clock is not None and change.clock == known.changed_at
    same_revision = change.revision is not None and change.revision == known.revision
    same_version = same_clock and same_revision and not foreign
    same_content = known.live and content is not None and content == known.content
    return "unchanged" if same_item or (same_version and same_content) else None


def is_stale(change: Change, known: IndexEntry) -> bool:
    """Return whether neither the clock nor the revision of a change is newer than what is known.

    Revisions are compared only between two published states: those of delete markers count something else.
    """
    clock = change.clock
    if clock is None or known.changed_at is None or clock >= known.changed_at:
        return False
    comparable = known.live and change.change_type == "published"
    if comparable and change.revision is not None and known.revision is not None:
        return change.revision <= known.revision
    return True


def owes_rows(verdict: Verdict, known: IndexEntry, at: Standpoint) -> bool:
    """Return whether a known change that is not published is to be written into its table all the same.

    A snapshot does that once for each key. After its walk, what a delta repeats may be what the walk was too old for.
    """
    if verdict.left_out not in ("unchanged", "repeated"):
        return False
    if verdict.change.change_type != "published":
        return known.rows is not None
    return at.rows and (not at.snapshot or known.epoch != at.epoch)


def remembered(change: Change, case: Case, epoch: int, now_ms: int, rows: str | None) -> IndexEntry:
    """Return what the index is to know of the key after this change."""
    known, live = case.known, change.change_type == "published"
    return IndexEntry(
        live=live,
        change_type=change.change_type,
        content_type=envelope.content_type(change, known),
        revision=change.revision,
        # A change without a clock must not disarm the staleness rule.
        changed_at=change.clock if change.clock is not None or known is None else known.changed_at,
        digest=change.digest,
        epoch=epoch,
        removed_at=None if live else now_ms,
        content=case.content if live else None,
        rows=rows,
    )


def op(change: Change, case: Case) -> Op:
    """Return the operation of the event that publishes `change`."""
    if change.change_type != "published":
        return "d"
    if case.known is not None and case.known.live:
        return "u"
    return "r" if case.origin == "snapshot" else "c"


def _asked_for(change: Change, republish: Republish) -> bool:
    if isinstance(republish, Selection):
        return change.key.id in republish.ids or change.content_type in republish.content_types
    return republish == "all"


def _departed(change: Change, known: IndexEntry) -> Change:
    """Return the removal that a change means to a filtered view which its entity has left."""
    if change.change_type != "published":
        return change
    return replace(change.without_content(), change_type="deleted", content_type=known.content_type)
