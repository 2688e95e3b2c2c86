"""A stream's durable resume point. Immutable, with no behaviour beyond its contract. Pure."""

from typing import Any, Literal

import msgspec

Phase = Literal["snapshot", "catching_up", "reconciling", "streaming"]

ANY_TOPIC, FORMER_TOPIC = "", "-"


class KeySchemaId(msgspec.Struct, frozen=True):
    """How keys of a stream are framed (`confluent` | `single-object`) and under which schema id."""

    framing: str
    id: str


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A stream's durable resume point: resuming from it yields the page after the last committed one.

    - `cursor`: the vendor's token (never its URL, never a credential), opaque outside its vendor; None starts a walk.
    - `page`: pages of the current walk that lie behind; 0 between walks. `walk_open`: a part of the walk that starts
      at `cursor` is already committed. `sequence`: of the last event. `epoch`: of the current snapshot, from 1.
    - `identity`: what the API says the environment is, where it says so; a change means another environment.
    - `page_size`: a smaller limit than the configured one, learnt from the API; frozen into the cursor by it.
    - `request`: an operator's request, JSON. `partitions` and `topic_ids`: of each changes topic when it was first
      written to. `ANY_TOPIC` in place of an id accepts whatever is there, as everything is published again;
      `FORMER_TOPIC` as well, of a topic of another configuration, which is forgotten once the stream is streaming.
    - `committed_at`: milliseconds since 1970.
    """

    version: int = 1
    stream: str
    cursor: str | None = None
    phase: Phase = "snapshot"
    page: int = 0
    sequence: int = 0
    epoch: int = 1
    fingerprint: str = ""
    key_schema_id: KeySchemaId = KeySchemaId("", "")
    walk_open: bool = False
    request: str | None = None
    committed_at: int = 0
    identity: str | None = None
    page_size: int | None = None
    partitions: dict[str, int] = {}
    topic_ids: dict[str, str] = {}

    def wish(self, name: str) -> Any:
        """Return what the operator's request says of `paused`, `allow_deletes` or `republish`, None where nothing.

        `republish` is `all`, or an object of the lists `content_types` and `ids`.
        """
        wishes = msgspec.json.decode(self.request) if self.request else {}
        return wishes.get(name) if isinstance(wishes, dict) else None

    def asks(self, wish: str) -> bool:
        """Tell whether the operator's request holds this wish."""
        return bool(self.wish(wish))

    @property
    def owed(self) -> dict[str, Any]:
        """What the snapshot under way must keep to, whatever else is asked: `rebase`, and to `republish` everything."""
        names = {"snapshot": ("rebase", "republish"), "streaming": ()}.get(self.phase, ("rebase",))
        return {name: wish for name in names if (wish := self.wish(name)) in (True, "all")}

    def recording(self, topic: str, partitions: int, topic_id: str | None) -> "Checkpoint":
        """Return this with what is known of a topic that is written to; None where brokers give no ids."""
        if topic in self.partitions and topic_id in (None, self.topic_ids.get(topic)):
            return self
        ids = self.topic_ids if topic_id is None else {**self.topic_ids, topic: topic_id}
        return msgspec.structs.replace(self, partitions={**self.partitions, topic: partitions}, topic_ids=ids)

    def advance(self, *, cursor: str, caught_up: bool, identity: str | None = None) -> "Checkpoint":
        """Return the checkpoint after one more page, whose continuation is `cursor`.

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

    def look_twice(self) -> "Checkpoint":
        """Return the start of a second walk of the same snapshot, where no delta can tell what the first one missed."""
        wishes = {} if self.request is None else msgspec.json.decode(self.request)
        request = msgspec.json.encode({**wishes, "second_look": True}).decode()
        return msgspec.structs.replace(self, cursor=None, phase="snapshot", page=0, walk_open=False, request=request)

    def looked_twice(self) -> "Checkpoint | None":
        """Return the reconciliation that follows a second walk, None where it was the first one."""
        return msgspec.structs.replace(self, phase="reconciling") if self.asks("second_look") else None

    def settled(self) -> "Checkpoint":
        """Return the end of a snapshot: wishes are fulfilled, topics of a former configuration no longer ours."""
        ours = {topic: count for topic, count in self.partitions.items() if self.topic_ids.get(topic) != FORMER_TOPIC}
        return msgspec.structs.replace(self, phase="streaming", walk_open=False, request=None, partitions=ours)

    def under(self, fingerprint: str) -> "Checkpoint":
        """Return the start of a snapshot under another configuration: earlier wishes were not for it, but a pause is.

        What is known is no measure of it. Where events go to other topics (they stand behind the fingerprint's dot),
        everything is to be published there.
        """
        wishes = {"rebase": True, **self.owed, **({"paused": True} if self.asks("paused") else {})}
        if not self.partitions or fingerprint.rpartition(".")[2] == self.fingerprint.rpartition(".")[2]:
            begun = self
        else:
            wishes["republish"] = "all"
            # Topics of two configurations ago have missed the removals that the last one wrote elsewhere, if any.
            begun = (self if "republish" in self.owed else self.settled()).accepting(FORMER_TOPIC)
        request = msgspec.json.encode(wishes).decode()
        return msgspec.structs.replace(begun.restart(), fingerprint=fingerprint, request=request, page_size=None)

    def accepting(self, mark: str) -> "Checkpoint":
        """Return this with a mark in place of each topic's id: whatever is there will do from here on."""
        ids = {topic: mark for topic in self.partitions if self.topic_ids.get(topic) != FORMER_TOPIC}
        return msgspec.structs.replace(self, topic_ids={**self.topic_ids, **ids})

    def restart(self, *, page_size: int | None = None) -> "Checkpoint":
        """Return the start of a new snapshot: a new epoch; the sequence goes on. A whole walk has published."""
        wishes = {} if self.request is None else msgspec.json.decode(self.request)
        wishes.pop("second_look", None)
        if self.phase != "snapshot":
            wishes.pop("republish", None)
        return msgspec.structs.replace(
            self,
            cursor=None,
            phase="snapshot",
            page=0,
            epoch=self.epoch + 1,
            walk_open=False,
            request=msgspec.json.encode(wishes).decode() if wishes else None,
            identity=None,
            page_size=page_size or self.page_size,
        )


_AFTER_WALK: dict[Phase, Phase] = {
    "snapshot": "catching_up",
    "catching_up": "reconciling",
    "reconciling": "reconciling",
    "streaming": "streaming",
}
