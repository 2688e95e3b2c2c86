"""From a CMS's response to the record, byte for byte: fields, meta and marker of items that nobody would write."""

import json
from contextlib import closing

import httpx

from connector.cms.source import Source
from connector.events.codec import decode, unframe
from connector.model.checkpoint import Checkpoint
from connector.stream.runner import Bounds, Runner
from connector.testing import ManualClock, MemoryStore, in_turn
from tests.memory import Stream
from tests.published import events, letters
from tests.unit.vendors.contentful_answers import SYNC_URL, contentful

FIELDS = (
    b'{\n  "price" : {"en-US": 1.10},\n\t"huge":{"en-US":1e400 , "de":' + str(2**70).encode() + b"},"
    b'"twins":{"en-US":{"a":1,"a":2,"A":3}},'
    + '"lines":{"en-US":"\u2028\u2029"},'.encode()
    + b'"half":{"en-US":"\\ud83d"},"none":{"en-US":null},"empty":{}  }'
)
SYS = b'{ "id":"e1" ,"type":"Entry","revision":0,"updatedAt":"2024-06-10T08:00:01.000Z", "pad":[ 1.0,1.00 ] }'
METADATA = b'{"tags":[ ]}'
ENTRY = b' {"metadata": ' + METADATA + b' ,\n"sys":' + SYS + b',"fields":' + FIELDS + b',"new member":[1e400]}'
MARKER = (
    b'{"sys" : { "type":"DeletedEntry","id":"e2","deletedAt":"2024-06-10T08:00:02.000Z","half":"\\ud83d"},"x":1.10 }'
)
INVALID = b'{"sys":{"id":"e3","type":"Entry"},"fields":{"raw":"\xff"}}'


def published_from(*items: bytes) -> MemoryStore:
    """Let a stream read one response; return the store it was published to."""
    url = json.dumps(f"{SYNC_URL}t1").encode()
    body = b'{"sys":{"type":"Array"},"items":[' + b",".join(items) + b'],"nextSyncUrl":' + url + b"}"
    stream = Stream()
    start = Checkpoint(stream="blog", fingerprint="f")
    stream.publisher.commit_checkpoint(start)
    network = httpx.MockTransport(lambda _request: httpx.Response(200, stream=httpx.ByteStream(body)))
    with closing(Source(contentful(), clock=ManualClock(), transport=network, ahead=in_turn)) as source:
        Runner(source, stream.publisher, Bounds(), ManualClock()).pass_once()
    return stream.store


def test_fields_are_the_responses_own_bytes() -> None:
    """Numbers, duplicate names, separators, lone surrogates, nulls, empty maps and whitespace stay as they are."""
    (event,) = events(published_from(ENTRY).records)
    assert event["after"]["fields"].encode() == FIELDS


def test_meta_holds_every_other_member_in_order_and_verbatim() -> None:
    """Nothing that the vendor sent is lost, known or not."""
    (event,) = events(published_from(ENTRY).records)
    assert event["after"]["meta"].encode() == (
        b'{"metadata":' + METADATA + b',"sys":' + SYS + b',"new member":[1e400]}'
    )
    assert event["after"]["revision"] == 0


def test_a_marker_is_the_whole_item() -> None:
    """The delete item as sent."""
    (event,) = events(published_from(MARKER).records)
    assert (event["op"], event["marker"].encode()) == ("d", MARKER)


def test_one_odd_item_costs_no_other() -> None:
    """What no text can hold is a dead letter with its exact bytes; its neighbours are published."""
    store = published_from(ENTRY, INVALID, MARKER)
    assert [event["op"] for event in events(store.records)] == ["r", "d"]
    assert [letter["raw"] for letter in letters(store.records)] == [INVALID]
    record = next(record for record in store.records if record.topic.endswith("dead-letters"))
    assert decode("dead_letter", unframe(record.value or b"")[1])["error"] == "MalformedItem"
