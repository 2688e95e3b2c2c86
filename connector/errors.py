"""The error tree: a class says what to do (`remedy`), a message what happened and where, a hint what comes next.

`exit_code` is that of a command that the error ends: 1 failed, 2 configuration, 3 something outside or this machine
does not answer, 4 a fault of the process itself.

ConnectorError
  ConfigError             stop, before any I/O; exit 2
  Unreachable             retry: something outside does not answer; exit 3
    SourceUnavailable       the CMS: timeouts, 5xx, 429, broken bodies
      QuotaExhausted          a used-up plan quota: a long, bounded wait
    BrokerUnavailable       Kafka
    RegistryUnavailable     the schema registry
      RegistryChanged         recover: it no longer knows the ids that records carry
    LocalTrouble            this machine: descriptors, temporary space, socket memory
  StreamStopped           stop this stream, others go on
    SourceRejected          doubt first: the CMS refuses these credentials or this scope (401, 403, 404)
    ForeignUrl              a request to another host or scheme than base_url: the credential never goes there
    WalkStarved             a walk was repeatedly refused midway
    DeletesHeld             reconciliation would delete more than `max_delete_share`
    ItemRefused             a bad item or event under the policy `stop`
    ModelRefused            the content model is none that the tables, as configured, can follow
    BrokerFatal             the broker refuses permanently
      TopicMismatch           a topic exists with other settings than the message contract needs
      KeySchemaChanged        the key schema id differs from the recorded one
      StateTooNew             a state record was written by a newer version
      ForeignRecord           the state topic holds what contentwire did not write
  CheckpointRejected      re-snapshot: the API refuses the cursor, or what it stands for has changed
    PageTooLarge            re-snapshot with a smaller page
    EnvironmentChanged      re-snapshot: another environment answers under the same name
  WalkBroken              walk again: refused midway, or a page cursor repeated
  ModelOutdated           ask for the content model, then do it again: an item shows more than the model has
  MalformedItem           dead letter in the page's transaction
  EventTooLarge           dead letter, reference or stop
  TransactionAborted      retry from the last commit: nothing of the batch is visible
  Fenced                  recover, or relinquish: another producer took the stream over
  Superseded              recover: an idle stream noticed that somebody else has committed, or that a topic changed
  UnknownOutcome          recover: only the re-read checkpoint knows whether the batch was committed
  InternalFailure         stop: a thread that the process cannot do without has ended; exit 4
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Final, Literal

Remedy = Literal["stop", "retry", "doubt", "stop_stream", "re_snapshot", "walk_again", "dead_letter", "recover"]

SCARCE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Errors that say that this machine has run out of something that any connection needs."""

_MACHINE: Final = {
    errno.EMFILE: "raise the limit of open files: ulimit -n, or LimitNOFILE= of the service",
    errno.ENFILE: "the whole machine has no open files left: raise fs.file-max, or find who leaks them",
    errno.ENOSPC: "free some space; TMPDIR names the folder that large walks are kept in",
    errno.EDQUOT: "raise the quota, or set TMPDIR to another folder for large walks",
    errno.EIO: "look at the disk; TMPDIR names the folder that large walks are kept in",
    errno.EROFS: "give the process a folder that it can write to: TMPDIR names it",
    errno.ENOENT: "give the process a folder that it can write to: TMPDIR names it",
    errno.EACCES: "give the process a folder that it can write to: TMPDIR names it",
    errno.ENOBUFS: "give the machine or the container more memory",
    errno.ENOMEM: "give the machine or the container more memory",
}
_ANY_MACHINE: Final = "look at this machine's disks, limits and memory; it is tried again"


class ConnectorError(Exception):
    """Anything contentwire raises on purpose.

    `str()` is one line for the operator, without secrets and without content; `hint` names the next step, or is empty.
    """

    remedy: ClassVar[Remedy] = "stop"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(ConnectorError):
    """The configuration cannot be used; raised before any I/O. `problems` lists every finding with its path."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class Unreachable(ConnectorError):
    """Something outside does not answer properly now: try again later.

    `retry_after` is the wait in seconds the other side asked for, or None.
    """

    remedy: ClassVar[Remedy] = "retry"
    exit_code = 3

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class SourceUnavailable(Unreachable):
    """The CMS did not give a usable answer: timeout, connection, 5xx, 429, or a body that is not its JSON."""


class QuotaExhausted(SourceUnavailable):
    """The plan's quota is used up: only waiting helps."""


class BrokerUnavailable(Unreachable):
    """No broker answered in time."""


class RegistryUnavailable(Unreachable):
    """The schema registry did not answer in time."""


class RegistryChanged(RegistryUnavailable):
    """The registry answers, but an id that records carry means nothing there, or something else.

    Nothing may be published or registered until it is restored, which fixes everything: keep reading back and
    comparing.
    """

    remedy = "recover"


class LocalTrouble(Unreachable):
    """The operating system refuses this process something that it may grant later: descriptors, space, a folder.

    It counts as something that does not answer: a stream tries again.
    """

    @classmethod
    def of(cls, error: OSError, wanted: str = "something") -> "LocalTrouble":
        """Return the error that a stream raises for one of the operating system, when it wanted `wanted`."""
        what = f"{error.strerror or type(error).__name__}{f': {error.filename}' if error.filename else ''}"
        return cls(f"this machine refuses {wanted}: {what}", hint=_MACHINE.get(error.errno or 0, _ANY_MACHINE))


class StreamStopped(ConnectorError):
    """This stream cannot continue as things are; others do. It tries again every few minutes, and on request."""

    remedy: ClassVar[Remedy] = "stop_stream"


class SourceRejected(StreamStopped):
    """The CMS refuses the credentials or the scope (401, 403, 404).

    It may pass: ask again for a while, with reread secrets, before believing it. After that an operator has to correct
    them.
    """

    remedy = "doubt"


class ForeignUrl(StreamStopped):
    """A request was to go to another host or scheme than `base_url`; it was not sent."""


class WalkStarved(StreamStopped):
    """A walk was refused midway too often to be worth starting again."""


class DeletesHeld(StreamStopped):
    """Reconciliation found more vanished keys (`held`) than `max_delete_share` allows; nothing was deleted."""

    def __init__(self, message: str, *, hint: str = "", held: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.held = held


class ItemRefused(StreamStopped):
    """An item or event that cannot be published met the policy `stop`; its page was not committed."""


class ModelRefused(StreamStopped):
    """The content model is none that the tables, as they are configured, can follow; nothing was written."""


class BrokerFatal(StreamStopped):
    """The broker refuses permanently: authorization, an unsupported feature, a setting."""


class TopicMismatch(BrokerFatal):
    """A topic exists with settings or a partition count that break the message contract."""


class KeySchemaChanged(BrokerFatal):
    """The key would be written under another schema id or framing: partitions and compaction would break."""


class StateTooNew(BrokerFatal):
    """A state record carries a version this release does not know; run the release that wrote it."""


class ForeignRecord(BrokerFatal):
    """The state topic holds a record that contentwire did not write: take it out, then the stream continues."""


class CheckpointRejected(ConnectorError):
    """The API refuses the cursor, or the environment behind it has changed: only a new snapshot helps.

    `doubtful` means that the answer does not tell a bad cursor from bad credentials; the caller should probe first.
    """

    remedy = "re_snapshot"

    def __init__(self, message: str, *, hint: str = "", doubtful: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.doubtful = doubtful


class PageTooLarge(CheckpointRejected):
    """The response would exceed the API's size limit: start a new snapshot with a smaller page."""


class EnvironmentChanged(CheckpointRejected):
    """Another environment answers under the same name: its clocks and ids are not comparable with what is known."""


class WalkBroken(ConnectorError):
    """A walk that had begun cannot continue: walk again, a bounded number of times."""

    remedy = "walk_again"


class ModelOutdated(ConnectorError):
    """An item shows more than the content model that its table follows: nothing of its batch was committed.

    `unknown`: tables and members of theirs that the model lacks, an empty name for the table itself. `item`:
    the item itself, if it is a newer content type. Follow the model as it is now.
    """

    remedy = "retry"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        unknown: frozenset[tuple[str, str]] = frozenset(),
        item: bytes | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.unknown = unknown
        self.item = item


class MalformedItem(ConnectorError):
    """One item cannot be read. `item_type` and `item_id` are given if they could be; never content."""

    remedy = "dead_letter"

    def __init__(
        self, message: str, *, hint: str = "", item_type: str | None = None, item_id: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.item_type = item_type
        self.item_id = item_id


class EventTooLarge(ConnectorError):
    """One event exceeds `max.message.bytes`; checked before it is produced, never truncated."""

    remedy = "dead_letter"


class TransactionAborted(ConnectorError):
    """The transaction was aborted cleanly: nothing of the batch is visible, and it may be published again."""

    remedy = "retry"


class Fenced(ConnectorError):
    """Another producer with this stream's transactional id has started; nothing more can be committed by this one."""

    remedy = "recover"


class Superseded(ConnectorError):
    """What is known of a stream is out of date, as noticed before anything was begun: read back and continue."""

    remedy = "recover"


class InternalFailure(ConnectorError):
    """A vital part of this process has ended: end the process, so that it is restarted."""

    exit_code = 4


class UnknownOutcome(ConnectorError):
    """The batch may or may not have been committed; close the producer and recover."""

    remedy = "recover"


@contextmanager
def starting_threads() -> Iterator[None]:
    """Raise `LocalTrouble` if the system refuses a thread that is started inside."""
    try:
        yield
    except RuntimeError as error:
        raise LocalTrouble(
            "this machine refuses something: another thread",
            hint="raise the limit of processes (ulimit -u, pids of the container), or give it more memory",
        ) from error
