"""The ids that records carry: taken from a registry once, compared now and then, never silently replaced."""

import pytest

from connector.errors import BrokerFatal, ConnectorError, KeySchemaChanged, RegistryChanged, RegistryUnavailable
from connector.events import codec
from connector.kafka.looks import Texts
from connector.kafka.schema_ids import Schemas, check_recorded
from connector.model.checkpoint import KeySchemaId
from connector.testing import ManualClock
from tests.schemaregistry import ScriptedRegistry

EVERY = 120.0
ROW = '{"type":"record","name":"post","fields":[]}'
LATER_ROW = '{"type":"record","name":"post","fields":[{"name":"a","type":["null","string"],"default":null}]}'
NOTHING_YET = KeySchemaId("", "")
OURS = codec.single_object("key").schema_id


class Opened:
    """A stream's schemas, with a scripted registry."""

    def __init__(self) -> None:
        self.registry = ScriptedRegistry()
        self.clock = ManualClock()
        self.schemas = Schemas(self.registry.client(), "blog", verify_every=EVERY, clock=self.clock)

    def framing(self, recorded: KeySchemaId | None = None) -> codec.Framing:
        """Return the framing of keys."""
        return self.schemas.framing("t-key", "key", recorded)

    def unreachable(self) -> None:
        """Let the next request, and its repetitions, get no answer from a registry."""
        self.registry.answers = [(503, b"", {})] * 10


@pytest.fixture
def opened() -> Opened:
    """Return a stream with an empty registry."""
    return Opened()


def test_without_a_registry_keys_are_single_objects() -> None:
    """There is nothing to compare either."""
    schemas = Schemas(None, "blog", verify_every=0.0, clock=ManualClock())
    assert schemas.framing("t-key", "key", None) == codec.single_object("key")
    schemas.verify()


def test_a_schema_is_registered_once(opened: Opened) -> None:
    """A registry outage stops nothing that is already known."""
    framing = opened.framing()
    assert framing == codec.confluent(int(framing.schema_id.id))
    assert opened.registry.registered() == ["t-key"]
    assert opened.framing() == framing
    assert opened.registry.requests == []


def test_ids_in_use_are_compared_now_and_then(opened: Opened) -> None:
    """Not before `verify_every` seconds have passed since the last time."""
    opened.framing()
    opened.registry.wipe()
    opened.clock.wait(EVERY - 1)
    opened.schemas.verify()
    opened.clock.wait(1)
    with pytest.raises(RegistryChanged):
        opened.schemas.verify()


def test_an_hour_takes_one_request_an_id_and_comparison(opened: Opened) -> None:
    """However often a busy stream asks, and under however many subjects its ids are in use."""
    opened.framing()
    opened.schemas.framing("t-value", "envelope", None)
    opened.schemas.framing("other-key", "key", None)
    opened.registry.requests.clear()
    for _ in range(3600):
        opened.clock.wait(1)
        opened.schemas.verify()
        opened.framing()
    assert len(opened.registry.schemas) == 2
    assert opened.registry.requests == [("GET", "/schemas/ids/1"), ("GET", "/schemas/ids/2")] * round(3600 / EVERY)


def test_a_wiped_registry_is_asked_at_once_until_it_is_restored(opened: Opened) -> None:
    """Nothing may be published until then; after that the stream continues by itself."""
    opened.framing()
    kept = opened.registry.wipe()
    opened.clock.wait(EVERY)
    for _ in range(2):
        with pytest.raises(RegistryChanged, match="nothing under the id 1"):
            opened.schemas.verify()
    opened.registry.restore(kept)
    opened.schemas.verify()
    opened.registry.requests.clear()
    opened.schemas.verify()
    assert opened.registry.requests == []


def test_an_id_that_means_another_schema_is_a_changed_registry(opened: Opened) -> None:
    """It was replaced by one that has given the id to another schema."""
    opened.framing()
    opened.registry.schemas[1] = '"string"'
    opened.clock.wait(EVERY)
    with pytest.raises(RegistryChanged, match="another schema under the id 1"):
        opened.schemas.verify()


def test_a_silent_registry_changes_nothing(opened: Opened) -> None:
    """It does not stop a stream, nor does it mean that a wiped one has been restored."""
    opened.framing()
    opened.clock.wait(EVERY)
    opened.unreachable()
    opened.schemas.verify()
    opened.registry.answers = []
    opened.registry.wipe()
    opened.clock.wait(EVERY)
    with pytest.raises(RegistryChanged):
        opened.schemas.verify()
    opened.unreachable()
    with pytest.raises(RegistryUnavailable):
        opened.schemas.verify()


def test_nothing_is_registered_in_a_registry_that_has_changed(opened: Opened) -> None:
    """That would conflict with a restored one: what is in use is compared first."""
    opened.framing()
    opened.registry.wipe()
    opened.registry.requests.clear()
    with pytest.raises(RegistryChanged):
        opened.schemas.framing("t-value", "envelope", None)
    assert opened.registry.registered() == []


def test_the_recorded_key_schema_comes_first(opened: Opened) -> None:
    """A new process with another registry registers nothing, and asks again later."""
    opened.registry.schemas, opened.registry.subjects = {1: codec.text("key")}, {"t-key": [1]}
    with pytest.raises(RegistryChanged):
        opened.framing(KeySchemaId("confluent", "7"))
    assert opened.registry.registered() == []
    opened.registry.schemas[7] = codec.text("key")
    assert opened.framing(KeySchemaId("confluent", "7")).schema_id.framing == "confluent"


@pytest.mark.parametrize("recorded", [NOTHING_YET, OURS])
def test_keys_without_a_registry_stay_as_they_were(recorded: KeySchemaId) -> None:
    """Or become so: none were written yet."""
    check_recorded(None, recorded, "blog")


@pytest.mark.parametrize("recorded", [KeySchemaId("confluent", "1"), KeySchemaId("single-object", "0000000000000000")])
def test_a_registry_cannot_be_removed_later(recorded: KeySchemaId) -> None:
    """The same entity would land on another partition; nor can the schema of keys change."""
    with pytest.raises(KeySchemaChanged):
        check_recorded(None, recorded, "blog")


@pytest.mark.parametrize(
    ("recorded", "error"),
    [
        (OURS, KeySchemaChanged),
        (KeySchemaId("confluent", "2"), RegistryChanged),
        (KeySchemaId("confluent", "3"), RegistryChanged),
        (KeySchemaId("confluent", "-1"), RegistryChanged),
        (KeySchemaId("confluent", "x"), RegistryChanged),
        (KeySchemaId("confluent", "1" * 11), RegistryChanged),
    ],
)
def test_a_registry_must_have_the_recorded_schema(
    opened: Opened, recorded: KeySchemaId, error: type[ConnectorError]
) -> None:
    """Under its id, and as the key schema: not another (2), none (3), or an id that no registry can give."""
    opened.registry.schemas = {1: codec.text("key"), 2: codec.text("flat")}
    with pytest.raises(error):
        check_recorded(opened.registry.client(), recorded, "blog")


@pytest.mark.parametrize("recorded", [NOTHING_YET, KeySchemaId("confluent", "1")])
def test_the_recorded_schema_is_accepted_if_it_is_there(opened: Opened, recorded: KeySchemaId) -> None:
    """Looking registers nothing."""
    opened.registry.schemas = {1: codec.text("key")}
    check_recorded(opened.registry.client(), recorded, "blog")
    assert opened.registry.registered() == []


def sharing(count: int) -> tuple[ScriptedRegistry, ManualClock, list[Schemas]]:
    """Return a registry, the clock, and streams that know its key schema and ask it together."""
    registry, clock = ScriptedRegistry(), ManualClock()
    texts, client = Texts(clock), registry.client()
    streams = [Schemas(client, f"blog-{n}", verify_every=EVERY, clock=clock, texts=texts) for n in range(count)]
    for number, stream in enumerate(streams):
        stream.framing(f"t-{number}-key", "key", None)
    clock.wait(EVERY)
    return registry, clock, streams


def compared(streams: list[Schemas], registry: ScriptedRegistry) -> list[str]:
    """Let each stream compare; return the paths that were asked for."""
    before = len(registry.requests)
    for stream in streams:
        stream.verify()
    return [path for _, path in registry.requests[before:]]


def test_streams_of_a_registry_compare_the_same_ids_together() -> None:
    """A thousand of them ask as often as one; what an id means is a few seconds old at most."""
    registry, clock, streams = sharing(50)
    asked = compared(streams, registry)
    assert len(asked) == len(set(asked))
    clock.wait(EVERY)
    registry.wipe()
    with pytest.raises(RegistryChanged):
        streams[0].verify()
    clock.wait(2.4)
    with pytest.raises(RegistryChanged):
        streams[1].verify()


def test_a_silent_registry_is_asked_by_each_stream() -> None:
    """No answer is none to share: whoever is due asks, and none waits for another."""
    registry, _, streams = sharing(2)
    registry.answers = [(503, b"", {})]
    streams[0].verify()
    registry.wipe()
    with pytest.raises(RegistryChanged):
        streams[1].verify()


def test_tables_need_a_registry() -> None:
    """The configuration refuses them before: no consumer could know what their rows are."""
    with pytest.raises(BrokerFatal, match="need a schema registry"):
        Schemas(None, "blog", verify_every=0.0, clock=ManualClock()).table_framing("t-value", ROW, None)


def test_each_schema_of_a_table_is_registered_once(opened: Opened) -> None:
    """An id of one stays in use after the next: earlier rows carry it."""
    first, second = (opened.schemas.table_framing("t-value", schema, None) for schema in (ROW, LATER_ROW))
    assert first != second
    assert opened.schemas.table_framing("t-value", ROW, None) == first
    assert opened.registry.registered() == ["t-value", "t-value"]


def test_nothing_is_registered_on_what_others_were_told_a_moment_ago() -> None:
    """The registry may have been wiped since: what is registered there would conflict with a restored one."""
    registry, _, streams = sharing(2)
    streams[0].verify()
    registry.wipe()
    with pytest.raises(RegistryChanged):
        streams[1].framing("t-value", "envelope", None)
    assert registry.subjects == {}
