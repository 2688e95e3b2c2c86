"""A stream's durable resume point: its position in the CMS, its progress in Kafka, and the requests to it. Pure."""

from typing import Literal

import msgspec

Phase = Literal["snapshot", "catching_up", "reconciling", "streaming"]


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stream stands in its CMS: all it takes to request the next page.

    - `cursor`: the vendor's token (never its URL, never a credential), opaque outside its vendor; None starts a walk.
    - `page`: how many pages of the current walk are done; 0 between walks. `walk_open`: part of the walk that starts
      at `cursor` is already committed. `epoch`: of the current snapshot, from 1.
    - `second_walk`: the snapshot is walked once more, as no delta can tell what the first walk missed.
    - `identity`: what the API says the environment is, if it does; a change means another environment.
    - `page_size`: a smaller limit than the configured one, learnt from the API, which freezes it into the cursor.
    """

    cursor: str | None = None
    phase: Phase = "snapshot"
    page: int = 0
    epoch: int = 1
    walk_open: bool = False
    second_walk: bool = False
    identity: str | None = None
    page_size: int | None = None

    def advance(self, *, cursor: str, caught_up: bool, identity: str | None = None) -> "Position":
        """Return the position after one more page, whose continuation is `cursor`.

        Being caught up ends a walk: a snapshot goes on to `catching_up`, that to `reconciling`.
        """
        return msgspec.structs.replace(
            self,
            cursor=cursor,
            walk_open=False,
            page=0 if caught_up else self.page + 1,
            phase=_AFTER_WALK[self.phase] if caught_up else self.phase,
            identity=identity or self.identity,
        )

    def opened(self) -> "Position":
        """Return this with part of its walk committed."""
        return msgspec.structs.replace(self, walk_open=True)

    def unfollowed(self) -> "Position":
        """Return what comes after a snapshot's walk if no delta follows: a second walk, then the reconciliation."""
        if self.second_walk:
            return msgspec.structs.replace(self, phase="reconciling", second_walk=False)
        return msgspec.structs.replace(self, cursor=None, phase="snapshot", page=0, walk_open=False, second_walk=True)

    def restart(self, *, page_size: int | None = None) -> "Position":
        """Return the start of a new snapshot: a new epoch, and the smallest page size learnt so far."""
        return Position(epoch=self.epoch + 1, page_size=page_size or self.page_size)


class KeySchemaId(msgspec.Struct, frozen=True):
    """How keys of a stream are framed (`confluent` | `single-object`) and under which schema id."""

    framing: str
    id: str


class KnownTopic(msgspec.Struct, frozen=True):
    """A topic of events or rows as it was when it was first written to.

    - `topic_id` tells it from a deleted one with the same name (Kafka's KIP-516); None if unknown.
    - `replaceable`: whatever is there now will do, even nothing, as everything is published again.
    - `former`: replaceable, and of another configuration: forgotten once the stream is streaming.
    - `table`: it holds the rows of a table.
    """

    partitions: int
    topic_id: str | None = None
    replaceable: bool = False
    former: bool = False
    table: bool = False


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream has published: the `sequence` of its last event, how its keys are framed, and its topics.

    `snapshot_epoch`: of the snapshot that the last event of one belongs to, 0 before the first.
    """

    sequence: int = 0
    snapshot_epoch: int = 0
    key_schema_id: KeySchemaId = KeySchemaId("", "")
    topics: dict[str, KnownTopic] = {}

    @property
    def partitions(self) -> dict[str, int]:
        """How many partitions each topic has."""
        return {name: topic.partitions for name, topic in self.topics.items()}

    @property
    def expected_topics(self) -> dict[str, KnownTopic]:
        """The topics that must still be what they were when they were first written to."""
        return {name: topic for name, topic in self.topics.items() if not topic.replaceable}

    def recording(self, topic: str, found: KnownTopic) -> "Progress":
        """Return this with what is known of a topic that is written to; what was known already stays."""
        known = self.topics.get(topic)
        if known and found.topic_id in (None, known.topic_id) and found.table == known.table:
            return self
        return msgspec.structs.replace(self, topics={**self.topics, topic: found})

    def replaceable(self, *, former: bool = False) -> "Progress":
        """Return this with every topic replaceable; with `former`, those of this configuration become former too."""
        topics = {
            name: topic if topic.former else _replaceable(topic, former=former) for name, topic in self.topics.items()
        }
        return msgspec.structs.replace(self, topics=topics)

    def replaceable_tables(self) -> "Progress":
        """Return this with every table's topic replaceable: all rows are written again before they count again."""
        topics = {name: _replaceable(topic) if topic.table else topic for name, topic in self.topics.items()}
        return msgspec.structs.replace(self, topics=topics)

    def without_former(self) -> "Progress":
        """Return this without the topics of former configurations."""
        topics = {name: topic for name, topic in self.topics.items() if not topic.former}
        return msgspec.structs.replace(self, topics=topics)


class Selection(msgspec.Struct, frozen=True):
    """Entries of these content types, and entities with these ids."""

    content_types: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


Republish = Literal["all"] | Selection | None
"""What a snapshot publishes whether it changed or not; None is nothing."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a stream, by an operator or by what happened to it; a finished snapshot fulfils all of it.

    - `paused`: nothing is read and nothing published.
    - `allow_deletes`: the snapshot may delete everything that it does not find.
    - `rebase`: clocks of earlier epochs cannot be compared with this one's.
    - `rows`: the snapshot writes the rows of everything, changed or not.
    """

    paused: bool = False
    republish: Republish = None
    allow_deletes: bool = False
    rebase: bool = False
    rows: bool = False


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A stream's durable resume point: resuming from it yields the page after the last committed one.

    `fingerprint`: of the configuration that the position was reached with. `committed_at`: milliseconds since 1970.
    """

    stream: str
    fingerprint: str = ""
    position: Position = Position()
    progress: Progress = Progress()
    request: Request = Request()
    committed_at: int = 0

    def at(self, position: Position) -> "Checkpoint":
        """Return this at another position."""
        return msgspec.structs.replace(self, position=position)

    @property
    def carried_over(self) -> Request:
        """What the snapshot under way must still do, whatever else is requested.

        That is its rebase, and publishing everything, or all rows, until a whole walk has done so.
        """
        phase, asked = self.position.phase, self.request
        return Request(
            rebase=asked.rebase and phase != "streaming",
            republish="all" if asked.republish == "all" and phase == "snapshot" else None,
            rows=asked.rows and phase == "snapshot",
        )

    def snapshot_finished(self) -> "Checkpoint":
        """Return the end of a snapshot: requests are fulfilled, topics of a former configuration no longer ours."""
        return msgspec.structs.replace(
            self,
            position=msgspec.structs.replace(self.position, phase="streaming", walk_open=False),
            progress=self.progress.without_former(),
            request=Request(),
        )

    def restart(self, *, page_size: int | None = None) -> "Checkpoint":
        """Return the start of a new snapshot: a new epoch; the sequence continues. A finished walk has republished."""
        republish = self.request.republish if self.position.phase == "snapshot" else None
        return msgspec.structs.replace(
            self,
            position=self.position.restart(page_size=page_size),
            request=msgspec.structs.replace(self.request, republish=republish, rows=self.carried_over.rows),
        )

    def restarted_for(self, fingerprint: str) -> "Checkpoint":
        """Return the start of a snapshot for another configuration: of earlier requests only a pause applies to it.

        Its clocks cannot be compared with what is known. If events go to other topics (the fingerprint's part after the
        dot), everything is to be published there. If only tables are others (its part after the colon), their rows are
        due and nothing else; if there are none any more, this is no start: the stream continues where it stands.
        """
        where, _, tables = fingerprint.partition(":")
        known_where, _, known_tables = self.fingerprint.partition(":")
        kept, carried, others = msgspec.structs.replace(self, fingerprint=fingerprint), self.carried_over, False
        if tables != known_tables:
            others = True
            kept = msgspec.structs.replace(kept, progress=self.progress.replaceable_tables())
        rows = bool(tables) and (others or carried.rows)
        if where != known_where or not others:
            return _elsewhere(kept, rows=rows, moved=_topics(where) != _topics(known_where))
        if not tables:
            return msgspec.structs.replace(kept, request=msgspec.structs.replace(self.request, rows=False))
        request = msgspec.structs.replace(carried, paused=self.request.paused, rows=True)
        return msgspec.structs.replace(kept, position=self.position.restart(), request=request)


def _elsewhere(kept: Checkpoint, *, rows: bool, moved: bool) -> Checkpoint:
    """Return the start of a snapshot of another scope; if events go to other topics from now on, they have `moved`."""
    republish, progress = kept.carried_over.republish, kept.progress
    if progress.topics and moved:
        # Topics of two configurations ago have missed the removals that the last one wrote elsewhere, if any.
        known = progress if republish else progress.without_former()
        republish, progress = "all", known.replaceable(former=True)
    return msgspec.structs.replace(
        kept,
        position=Position(epoch=kept.position.epoch + 1),
        progress=progress,
        request=Request(paused=kept.request.paused, republish=republish, rebase=True, rows=rows),
    )


def _replaceable(topic: KnownTopic, *, former: bool = False) -> KnownTopic:
    return KnownTopic(topic.partitions, replaceable=True, former=former or topic.former, table=topic.table)


def _topics(where: str) -> str:
    """Return the part of a fingerprint that says which topics events go to."""
    return where.rpartition(".")[2]


_AFTER_WALK: dict[Phase, Phase] = {
    "snapshot": "catching_up",
    "catching_up": "reconciling",
    "reconciling": "reconciling",
    "streaming": "streaming",
}
