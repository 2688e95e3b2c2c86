"""The schema ids that a stream's records carry: taken from a registry, if there is one, and compared with it again.

A silent registry stops nothing that is already known. One that answers, but no longer knows an id, or has another
schema under it, was wiped or replaced: what is published with its ids cannot be read, and what is registered there
conflicts with a restored one.
"""

from collections.abc import Callable

from connector.clock import Clock
from connector.errors import BrokerFatal, ModelRefused, RegistryChanged, RegistryUnavailable
from connector.events import codec
from connector.events.codec import Framing
from connector.kafka import schema_difference
from connector.kafka.looks import Texts
from connector.kafka.registry import Registry
from connector.kafka.topics import check_key_schema
from connector.model.checkpoint import KeySchemaId

Add = Callable[[str, str], int]
"""Registers a schema that is missing under a subject, and returns its id."""

_DIGITS = 10  # of the highest id


class Schemas:
    """How the records of one stream are framed: by a `registry`'s ids, else as Avro single objects. Not thread-safe.

    The registry's answers are kept: its outage stops neither publishing nor recovery. `verify_every`: seconds between
    two comparisons. `texts` is what streams of the same registry share.
    """

    def __init__(
        self,
        registry: Registry | None,
        connection: str,
        *,
        verify_every: float,
        clock: Clock,
        texts: Texts | None = None,
    ) -> None:
        self._registry = registry
        self._connection = connection
        self._verify_every = verify_every
        self._texts = texts
        self._clock = clock
        self._verified_at = self._clock.monotonic()
        self._framings: dict[tuple[str, str], Framing] = {}
        self._in_use: dict[str, str] = {}
        self._changed = False

    def framing(self, subject: str, name: codec.Name, recorded: KeySchemaId | None) -> Framing:
        """Return how a schema is framed under a subject; if the registry lacks it there, register it.

        Before that, the `recorded` key schema and everything in use are compared. Raises what
        `check_recorded`, `verify` and `Registry.add` raise.
        """
        if self._registry is None:
            return codec.single_object(name)
        return self._known(self._registry, subject, codec.text(name), recorded, add=self._registry.add)

    def table_framing(self, subject: str, schema: str, recorded: KeySchemaId | None) -> Framing:
        """Return how rows of a table are framed; the subject's latest schema must accept theirs as its successor.

        Raises `ModelRefused` if it does not, `BrokerFatal` without a registry, and what `framing` raises.
        """
        if self._registry is None:
            raise BrokerFatal(
                "tables need a schema registry: without one no consumer can know their schemas",
                hint="set registry in [kafka], or leave out tables",
            )
        return self._known(self._registry, subject, schema, recorded, add=self._succeed)

    def _succeed(self, subject: str, schema: str) -> int:
        """Register a schema that the subject's latest one accepts as its successor; return its id."""
        assert self._registry
        if self._registry.compatible(subject, schema):
            return self._registry.add(subject, schema)
        before = self._registry.latest(subject)
        what = schema_difference.words(before, schema) if before else "it says no more"
        raise ModelRefused(
            f"the schema registry refuses the new schema of {subject} as a successor of its latest: {what}",
            hint="undo the change in the CMS; or let the subject's compatibility be BACKWARD; or delete the subject",
        )

    def _known(
        self, registry: Registry, subject: str, schema: str, recorded: KeySchemaId | None, *, add: Add
    ) -> Framing:
        if (subject, schema) not in self._framings:
            self._framings[subject, schema] = self._asked(registry, subject, schema, recorded, add)
        return self._framings[subject, schema]

    def verify(self) -> None:
        """Compare the ids in use with what the registry has under them, unless that was done recently.

        Raises `RegistryChanged`; after that, nothing may be published until a later call finds them restored.
        """
        if self._registry is None:
            return
        if not self._changed and self._clock.monotonic() - self._verified_at < self._verify_every:
            return
        try:
            self._compare(self._registry, self._texts)
        except RegistryChanged:
            raise
        except (RegistryUnavailable, BrokerFatal):
            # Neither silence nor a refusal says that an id means something else; nor that it no longer does.
            if self._changed:
                raise

    def _asked(self, registry: Registry, subject: str, schema: str, recorded: KeySchemaId | None, add: Add) -> Framing:
        key = codec.text("key")
        found = registry.find(subject, schema)
        if recorded and recorded.id not in self._in_use:
            # Unless that is what was found: then it is registered as it was.
            if (schema, recorded.framing, recorded.id) != (key, "confluent", str(found)):
                check_recorded(registry, recorded, self._connection)
            self._in_use |= {recorded.id: key} if recorded.framing else {}
        if found is None:
            # Not what others were told a moment ago: it may have been wiped since.
            self._compare(registry, None)
            found = add(subject, schema)
        framing = codec.confluent(found)
        self._in_use[framing.schema_id.id] = schema
        return framing

    def _compare(self, registry: Registry, texts: Texts | None) -> None:
        self._verified_at = self._clock.monotonic()
        try:
            for schema_id, schema in self._in_use.items():
                _compare(registry, schema_id, schema, texts)
        except RegistryChanged:
            self._changed = True
            raise
        self._changed = False


def check_recorded(registry: Registry | None, recorded: KeySchemaId, connection: str) -> None:
    """Raise `KeySchemaChanged` or `RegistryChanged` if keys cannot be written as a checkpoint recorded.

    Also raises what asking the registry raises. Registers nothing.
    """
    if registry is None:
        check_key_schema(recorded, codec.single_object("key").schema_id, connection)
    elif recorded.framing == "confluent":
        _compare(registry, recorded.id, codec.text("key"))
    else:
        check_key_schema(recorded, KeySchemaId("confluent", "(an id of the registry)"), connection)


def _compare(registry: Registry, schema_id: str, schema: str, texts: Texts | None = None) -> None:
    known = None
    if schema_id.isdecimal() and len(schema_id) <= _DIGITS:
        known = texts.by_id(registry, int(schema_id)) if texts else registry.by_id(int(schema_id))
    if known is None or not codec.alike(schema, known):
        what = "nothing" if known is None else "another schema"
        raise RegistryChanged(
            f"the schema registry has {what} under the id {schema_id}, which records of this stream carry",
            hint="it was wiped or replaced: restore it, and the stream continues; or choose another prefix",
        )
