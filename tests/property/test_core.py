"""The compiled core and Python give the same bytes for every input; what the core does not take is Python's anyway."""

import contextlib
import functools
import json
import os
from functools import partial
from itertools import product
from typing import Any, Literal

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from connector import vendors
from connector.clock import now_ms
from connector.cms.compiled import reading
from connector.cms.content_model import described
from connector.cms.vendor import Vendor
from connector.errors import ModelOutdated
from connector.events import codec, compiled
from connector.events.assembler import Assembler
from connector.events.destination import Destinations
from connector.events.envelope import Provenance
from connector.events.index import Index
from connector.events.policy import Policy
from connector.events.record import Batch
from connector.model import rawjson
from connector.model.change import Change
from connector.model.checkpoint import Checkpoint, Position
from connector.model.content_model import ContentModel
from connector.model.core import CORE, Writer
from connector.model.page import CompiledPage, Frame, SyncPage
from connector.simulator import Simulator
from connector.tables.catalog import Catalog
from connector.tables.columns import Options
from connector.testing import ManualClock, MemoryStore
from tests.cms import vendor
from tests.loopback import Loopback
from tests.property.test_vendor_fuzz import DEBRIS, ITEMS, NAMES, VALUES
from tests.story import source_of
from tests.tables import content_model
from tests.values import CONNECTION

each_vendor = pytest.mark.parametrize("name", vendors.names())
each_envelope = pytest.mark.parametrize("envelope", ["debezium", "flat"])

# Spellings that a writer of JSON may choose, and that a reader must not confuse.
LITERALS = st.sampled_from(
    [
        *("0", "-0", "1.0", "1e3", "10E-1", "0.10", "1e400", "0.0", "-1.50e+2", "123456789012345678", "9" * 20),
        *(r'"\u00e9"', r'"\/"', r'"\ud83d\ude00"', r'"\ud800"', r'"\u0000"', r'"\b\f\n\r\t\u001f\u007f"', r'"\\\""'),
        *('"123456789012345678"', '"2024-05-05T05:05:05Z"', '"2024-05-05T05:05:05.123456Z"'),
        *('"2024-02-30T00:00:00.000Z"', '"2024-05-05T05:05:05+01:00"', '"1969-12-31T23:59:59.999Z"'),
        *('{"a":1,"a":2}', '{"sys":{"type":"Link","linkType":"Entry","id":"e1"}}', '{ "b" : [ ] , "a":\t{}\n}'),
        *('{"uid":"a1","filename":"f.png"}', '{"uid":"e2","_content_type_uid":"post"}', '{"asset-uid":"a3"}'),
    ]
)
MARK = "\x01"

Envelope = Literal["debezium", "flat"]

needs_the_core = pytest.mark.skipif(CORE is None, reason="the compiled core is not built here")


@functools.cache
def connected(name: str) -> Vendor:
    """Return a vendor with the least settings it needs."""
    return vendor(name)


@functools.cache
def real(name: str) -> tuple[bytes, ...]:
    """Return the items of a simulated CMS's initial sync."""
    found: list[bytes] = []
    position, open_ = Position(), True
    with httpx.Client(transport=Loopback(Simulator(entries=40))) as client:
        while open_:
            frame = connected(name).frame(client.send(connected(name).request(position)), position)
            found += frame.raws
            position, open_ = frame.position, not frame.caught_up
    return tuple(found)


POLICIES = {
    "everything": Policy(),
    "one content type": Policy(content_types=frozenset({"product", "blogPost", "post"})),
    "one locale": Policy(locales=frozenset({"en-us"})),
    "no large events": Policy(max_message_bytes=2_500),
}


@functools.cache
def assembler(name: str, envelope: Envelope, policy: str, *, core: bool) -> Assembler:
    """Return what makes batches, with or without the core."""
    cms, clock = connected(name), ManualClock()
    provenance = Provenance("1.2", cms.name, CONNECTION, cms.db, cms.schema)
    chosen = replace(POLICIES[policy], envelope=envelope, content_members=cms.content_members)
    writer = compiled.writer(provenance, chosen) if core else None
    return Assembler(
        provenance=provenance, policy=chosen, now_ms=lambda: now_ms(clock), locate=cms.locate, writer=writer
    )


def batches(page: SyncPage | CompiledPage, made: Assembler, before: SyncPage | None = None) -> list[Batch]:
    """Return what is committed for a page of a snapshot by a stream that knows of the page `before`, or of nothing."""
    store, index = MemoryStore(), Index()
    store.recover(index)
    checkpoint = Checkpoint(stream=CONNECTION)
    found = []
    for pages in ([before] if before else [], [page]):
        for batch in made.batches(pages, index, checkpoint, Destinations(store.route, store.table_route)):
            found.append(batch)
            index.commit()
            checkpoint = batch.checkpoint
    return found


def quickly(name: str, frame: Frame) -> CompiledPage:
    """Return the page that the core reads."""
    page = reading(CONNECTION, connected(name), compiled.key(CONNECTION))(frame)
    assert isinstance(page, CompiledPage)
    return page


def compared(name: str, raws: list[bytes], envelope: Envelope = "debezium") -> int:
    """Assert that items become the same records both ways; return how many of them the core has taken."""
    frame = Frame(raws, Position(cursor="c", page=1), caught_up=False)
    plain, quick = connected(name).read(frame), quickly(name, frame)
    assert quick.dead_letters == plain.dead_letters
    changes = [each if isinstance(each, Change) else compiled.change(each, CONNECTION) for each in quick.changes]
    assert changes == list(plain.changes)
    # Something is known before: a third of the page, and the same items of all locales, as they may have come once.
    first = plain.changes[: len(plain.changes) // 3]
    whole = tuple(replace(change, key=replace(change.key, locale="*")) for change in plain.changes[::2])
    known = [None, replace(plain, changes=first), replace(plain, changes=whole)]
    for policy, before in product(POLICIES, known):
        one, other = (assembler(name, envelope, policy, core=core) for core in (False, True))
        assert batches(quick, other, before) == batches(plain, one, before)
    return sum(not isinstance(each, Change) for each in quick.changes)


@functools.cache
def model(name: str) -> ContentModel:
    """Return the content model of the simulated CMS that the items are of."""
    with contextlib.closing(source_of(Simulator(entries=40), name)) as source:
        return content_model(source)


def with_tables(name: str, page: SyncPage | CompiledPage, *, core: bool) -> list[Batch]:
    """Return what is committed for a page of a snapshot if there are tables, whatever the model lacks."""
    cms = connected(name)
    options = (Options(), partial(described, cms.model))
    catalog = Catalog(CONNECTION, *options, localized=cms.localized, own_members=cms.own_members)
    catalog.adopt(catalog.plan(model(name)))
    made = replace(assembler(name, "debezium", "everything", core=core), tables=catalog)
    while True:
        try:
            return batches(page, made)
        except ModelOutdated as outdated:
            catalog.confirm(outdated)


def apart(found: list[Batch]) -> list[object]:
    """Return batches with events and rows apart, each in order, as the core writes several events before their rows."""
    kinds = [
        [record for record in batch.records if (".table." in record.topic) == rows]
        for batch in found
        for rows in (False, True)
    ]
    return [*kinds, *((dict(batch.state), batch.letters, batch.tally, batch.checkpoint) for batch in found)]


class Counted:
    """A writer that counts the records that the core has written."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.records = 0

    def publish(self, *arguments: Any) -> tuple[list[Any], int]:
        """Let the writer publish."""
        records, size = self._writer.publish(*arguments)
        self.records += len(records)
        return records, size


def whole(made: Assembler, pages: list[SyncPage] | list[CompiledPage]) -> list[Batch]:
    """Return what is committed for a whole snapshot, a batch for each page."""
    store, index = MemoryStore(), Index()
    store.recover(index)
    checkpoint = Checkpoint(stream=CONNECTION)
    found = []
    for page in pages:
        for batch in made.batches([page], index, checkpoint, Destinations(store.route, store.table_route)):
            found.append(batch)
            index.commit()
            checkpoint = batch.checkpoint
    return found


def test_the_core_is_there_where_it_is_required() -> None:
    """Nobody measures, or ships, what silently is not there."""
    assert CORE is not None or os.environ.get("CONTENTWIRE_CORE") != "required"


@needs_the_core
@each_envelope
@each_vendor
def test_the_core_takes_real_items_and_writes_the_same(name: str, envelope: Envelope) -> None:
    """Nearly every item that is published, of a whole initial sync."""
    read = connected(name).read(Frame(list(real(name)), Position(), caught_up=False))
    published = sum(change.change_type == "published" for change in read.changes)
    frame = Frame(list(real(name)), Position(cursor="c", page=1), caught_up=False)
    quick, plain = quickly(name, frame), connected(name).read(frame)
    assert apart(with_tables(name, quick, core=True)) == apart(with_tables(name, plain, core=False))
    # The simulator's content is odd now and then, on purpose.
    assert compared(name, list(real(name)), envelope) > 0.9 * published > 0


@needs_the_core
@each_envelope
@each_vendor
def test_a_whole_snapshot_is_the_same_both_ways(name: str, envelope: Envelope) -> None:
    """Its first event and its last are not like the others; most between them are the core's."""
    raws, position = list(real(name)), Position()
    frames = []
    for number, at in enumerate(range(0, len(raws), 10)):
        ends = at + 10 >= len(raws)
        position = position.advance(cursor=f"c{number}", caught_up=ends)
        frames.append(Frame(raws[at : at + 10], position, caught_up=ends))
    plain = whole(assembler(name, envelope, "everything", core=False), [connected(name).read(each) for each in frames])
    made = assembler(name, envelope, "everything", core=True)
    assert made.writer
    counted = Counted(made.writer)
    quick = whole(replace(made, writer=counted), [quickly(name, each) for each in frames])
    assert quick == plain
    schema: codec.Name = "flat" if envelope == "flat" else "envelope"
    found = [
        codec.decode(schema, (record.value or b"")[10:]) for batch in quick for record in batch.records if record.value
    ]
    places = [event.get("source", event)["snapshot"] for event in found]
    assert places == ["first", *["true"] * (len(places) - 2), "last"]
    assert counted.records > 0.8 * len(places)


@needs_the_core
def test_what_would_take_the_core_long_is_left_to_python() -> None:
    """A page of very many members, an item of very many values or links: a hostile answer holds nobody up."""
    assert CORE is not None
    many = ",".join(f'"m{number}":1' for number in range(100_000))
    assert CORE.cut(f'{{"items":[],{many}}}'.encode(), "items") is None
    link = '{{"sys":{{"type":"Link","linkType":"Entry","id":"e{}"}}}}'
    links = ",".join(link.format(number) for number in range(2_000))
    for fields in (f'{{"a":[{"1," * 300_000}1]}}', f'{{"a":[{links}]}}'):
        raw = f'{{"sys":{{"type":"Entry","id":"e1"}},"fields":{fields}}}'.encode()
        assert compared("contentful", [raw]) == 0


@st.composite
def edited(draw: st.DrawFn, name: str) -> bytes:
    """Return a real item with a few of its values replaced, in any of the ways that JSON can be written."""
    item = json.loads(draw(st.sampled_from(real(name))))
    literals: list[str] = []
    for _ in range(draw(st.integers(0, 3))):
        holder, place = draw(st.sampled_from(places(item)))
        if draw(st.booleans()):
            holder[place] = draw(VALUES)
        else:
            holder[place] = f"{MARK}{len(literals)}"
            literals.append(draw(LITERALS))
        if isinstance(holder, dict) and draw(st.booleans()):
            holder[draw(NAMES)] = draw(VALUES)
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")]))
    text = json.dumps(item, ensure_ascii=draw(st.booleans()), separators=separators)
    for number, literal in enumerate(literals):
        text = text.replace(json.dumps(f"{MARK}{number}"), literal)
    return text.encode("utf-8", "surrogatepass")


def places(item: Any) -> list[tuple[Any, Any]]:
    """Return where values stand in a decoded value: what holds them, and by what."""
    found: list[tuple[Any, Any]] = []
    pending = [item]
    for node in pending:
        members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for place, value in members:
            found.append((node, place))
            pending.append(value)
    return found


@needs_the_core
@each_envelope
@each_vendor
@given(data=st.data())
def test_an_edited_item_is_the_same_both_ways(name: str, envelope: Envelope, data: st.DataObject) -> None:
    """Other values, spellings, orders, names and doubled members."""
    compared(name, data.draw(st.lists(edited(name), min_size=1, max_size=3)), envelope)


@needs_the_core
@each_vendor
@given(data=st.data())
def test_a_damaged_item_is_the_same_both_ways(name: str, data: st.DataObject) -> None:
    """Bytes are missing, or others stand among them."""
    raw = data.draw(st.sampled_from(real(name)))
    at, length = data.draw(st.integers(0, len(raw))), data.draw(st.integers(0, 3))
    compared(name, [raw[:at] + data.draw(DEBRIS) + raw[at + length :]])


@needs_the_core
@each_vendor
@given(items=st.lists(ITEMS, max_size=4))
def test_any_item_is_the_same_both_ways(name: str, items: list[Any]) -> None:
    """Whatever it is."""
    compared(name, [json.dumps(item).encode("utf-8", "surrogatepass") for item in items])


@needs_the_core
@given(data=st.data())
def test_a_page_is_cut_the_same_both_ways(data: st.DataObject) -> None:
    """Whole or damaged, with whatever stands around its items."""
    members = data.draw(st.dictionaries(NAMES | st.just("items") | st.text(max_size=3), VALUES, max_size=4))
    text = json.dumps(
        {**members, "items": data.draw(st.lists(VALUES, max_size=4))}, indent=data.draw(st.sampled_from([None, 1]))
    )
    raw = text.encode("utf-8", "surrogatepass")
    at = data.draw(st.integers(0, len(raw)))
    for page in (raw, raw[:at] + data.draw(DEBRIS) + raw[at + data.draw(st.integers(0, 2)) :]):
        assert CORE is not None
        found = CORE.cut(page, "items")
        if found is not None:
            parts = rawjson.split(page)
            assert found[1] == rawjson.elements(parts.pop("items"))
            assert list(found[0].items()) == list(parts.items())
