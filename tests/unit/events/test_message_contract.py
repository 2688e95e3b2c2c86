"""The examples in docs/message-contract.md are what the code publishes for the vendors' items in them."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from connector.cms.vendor import Vendor
from connector.events import codec
from connector.events.assembler import Assembler
from connector.events.envelope import Provenance
from connector.events.policy import Policy
from connector.events.record import Record
from connector.model.checkpoint import Checkpoint, Phase
from connector.stream.publisher import Publisher
from connector.stream.reconcile import reconcile
from connector.testing import ManualClock, MemoryStore
from tests.unit.vendors import contentful_answers as contentful
from tests.unit.vendors import contentstack_answers as contentstack
from tests.values import amended, page_of

DOCUMENT = (Path(__file__).parents[3] / "docs" / "message-contract.md").read_text(encoding="utf-8")
NOW_MS = 1_750_000_000_123

SPACE = {"sys": {"type": "Link", "linkType": "Space", "id": "cfexampleapi"}}
CAT = {"sys": {"type": "Link", "linkType": "ContentType", "id": "cat"}}


class Stream:
    """One connection's stream in memory, with a clock that stands still."""

    def __init__(self, vendor: Vendor, connection: str, policy: Policy | None = None) -> None:
        self.store = MemoryStore(connection=connection)
        self.vendor = vendor
        assembler = Assembler(
            provenance=Provenance("0.1.0", vendor.name, connection, vendor.db, vendor.schema),
            policy=policy or Policy(),
            now_ms=lambda: NOW_MS,
            locate=vendor.locate,
        )
        self.publisher = Publisher(self.store, assembler, initial=Checkpoint(stream=connection), clock=ManualClock())
        self.publisher.recover()

    def read(self, response: httpx.Response) -> list[Record]:
        """Publish what a response says; return the records."""
        before = len(self.store.records)
        self.publisher.publish([page_of(self.vendor, response, self.publisher.checkpoint.position)])
        return self.store.records[before:]

    def move_to(self, phase: Phase) -> None:
        """Go on to another phase."""
        self.publisher.commit_checkpoint(amended(self.publisher.checkpoint, phase=phase))

    def resnapshot(self, response: httpx.Response) -> list[Record]:
        """Take a new snapshot that gives `response`; return the records of its reconciliation."""
        self.publisher.commit_checkpoint(self.publisher.checkpoint.restart())
        self.read(response)
        self.move_to("reconciling")
        before = len(self.store.records)
        reconcile(self.publisher, max_delete_share=1.0, page_items=100)
        return self.store.records[before:]


def shown(record: Record, schema: codec.Name = "envelope") -> dict[str, Any]:
    """Return a record as the document shows it."""
    assert record.key is not None
    value = None if record.value is None else codec.decode(schema, codec.unframe(record.value)[1])
    key: Any
    if value and schema == "dead_letter":
        key, value["raw"] = record.key.decode(), value["raw"].decode()
    else:
        key = msgspec.structs.asdict(codec.decode_key(codec.unframe(record.key)[1]))
    headers = {name: text.decode() for name, text in record.headers}
    return {"topic": record.topic, "key": key, "headers": headers, "value": value}


def cat(name: str, revision: int, updated_at: str, friend: str | None = None) -> bytes:
    """Return an entry as Contentful sends it."""
    fields: dict[str, Any] = {"name": {"en-US": name}, "lives": {"en-US": 9}}
    if friend:
        fields["bestFriend"] = {"en-US": {"sys": {"type": "Link", "linkType": "Entry", "id": friend}}}
    system = {"space": SPACE, "id": name.replace(" ", "").lower(), "type": "Entry", "contentType": CAT}
    clock = {"createdAt": "2013-06-27T22:46:19.513Z", "updatedAt": updated_at, "revision": revision}
    return json.dumps({"sys": {**system, **clock}, "fields": fields}, separators=(",", ":")).encode()


def removal(name: str, deleted_at: str) -> bytes:
    """Return a delete marker as Contentful sends it."""
    clock = {"createdAt": deleted_at, "updatedAt": deleted_at, "deletedAt": deleted_at, "revision": 1}
    return json.dumps(
        {"sys": {"type": "DeletedEntry", "id": name, "space": SPACE, **clock}}, separators=(",", ":")
    ).encode()


def talk(kind: str, uid: str, event_at: str) -> bytes:
    """Return an entry's item as Contentstack sends it."""
    details = {"environment": "e1", "locale": "en-us", "time": event_at}
    data = {"uid": uid, "locale": "en-us", "_version": 2, "title": "Ada", "publish_details": details}
    return contentstack.item(kind, data, event_at=event_at, content_type_uid="talk")


def blog() -> dict[str, dict[str, Any]]:
    """Follow a Contentful space through the changes of the document."""
    stream = Stream(contentful.contentful(), "blog")
    found: dict[str, dict[str, Any]] = {}
    nyan = cat("Nyan Cat", 5, "2025-06-15T09:00:00.000Z", friend="happycat")
    (found["snapshot"],) = map(shown, stream.read(contentful.answer(nyan, end="nextPageUrl")))
    stream.move_to("streaming")
    happy = cat("Happy Cat", 1, "2025-06-15T12:00:00.000Z")
    (found["created"],) = map(shown, stream.read(contentful.answer(happy)))
    edited = cat("Nyan Cat", 6, "2025-06-15T13:30:00.500Z")
    (found["updated"],) = map(shown, stream.read(contentful.answer(edited)))
    removed = stream.read(contentful.answer(removal("nyancat", "2025-06-15T14:00:00.000Z")))
    found["deleted"], found["tombstone"] = map(shown, removed)
    nameless = b'{"sys":{"type":"Entry","updatedAt":"2025-06-15T14:10:00.000Z"},"fields":{}}'
    (found["dead letter"],) = (shown(each, "dead_letter") for each in stream.read(contentful.answer(nameless)))
    found["reconciled"] = shown(stream.resnapshot(contentful.answer())[0])
    return found


def shop() -> dict[str, dict[str, Any]]:
    """Follow a Contentstack stack through the changes of the document."""
    stream = Stream(contentstack.contentstack(), "shop")
    early, late = "2025-06-15T09:00:00.000Z", "2025-06-15T10:00:00.000Z"
    stream.read(contentstack.answer(talk("entry_published", "blt1", early), talk("entry_published", "blt2", early)))
    stream.move_to("streaming")
    gone = stream.read(contentstack.answer(talk("entry_unpublished", "blt1", late)))
    marker = contentstack.item("content_type_deleted", {"uid": "talk"}, event_at=late, content_type_uid="talk")
    expanded, _, own, _ = stream.read(contentstack.answer(marker))
    return {"unpublished": shown(gone[0]), "expanded": shown(expanded), "content type deleted": shown(own)}


def flat() -> dict[str, dict[str, Any]]:
    """Publish one item with the flat envelope."""
    stream = Stream(contentful.contentful(), "blog", Policy(envelope="flat"))
    stream.move_to("streaming")
    (record,) = stream.read(contentful.answer(cat("Happy Cat", 1, "2025-06-15T12:00:00.000Z")))
    return {"flat": shown(record, "flat")}


def test_every_example_is_what_the_code_publishes() -> None:
    """A reader who builds a consumer from the document gets exactly these records."""
    documented = {
        name: json.loads(body)
        for name, body in re.findall(r"<!-- example: ([a-z ]+) -->\n```json\n(.*?)\n```", DOCUMENT, re.DOTALL)
    }
    assert documented == {**blog(), **shop(), **flat()}


@pytest.mark.parametrize("schema", ["key", "envelope", "flat", "dead_letter"])
def test_every_column_is_described(schema: codec.Name) -> None:
    """The document names every field that a consumer can meet."""
    columns: set[str] = set()

    def look(part: dict[str, Any]) -> dict[str, Any]:
        columns.update(each["name"] for each in part.get("fields", ()))
        return part

    json.loads(codec.text(schema), object_hook=look)
    assert {name for name in columns if f"`{name}`" not in DOCUMENT} == set()
