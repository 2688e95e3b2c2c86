"""The checkpoint's record: flat as former releases write and read it, and typed in the code."""

import json
from functools import partial
from typing import Any

import msgspec
import pytest

from connector.commands import edits
from connector.commands.edits import Edit
from connector.events import codec
from connector.events.state_record import decode_checkpoint, encode_checkpoint, flat
from connector.model.checkpoint import Checkpoint, KeySchemaId, KnownTopic, Position, Progress, Request, Selection
from tests import avro_spec
from tests.memory import NOW_MS, Stream
from tests.values import amended, checkpoint

# Every member, in the order of the schema.
RECORD: dict[str, Any] = {
    "version": 1,
    "stream": "blog",
    "cursor": "c7",
    "phase": "streaming",
    "page": 0,
    "sequence": 41,
    "epoch": 3,
    "fingerprint": "scope.topics",
    "key_schema_id": {"framing": "confluent", "id": "7"},
    "walk_open": False,
    "request": None,
    "committed_at": 1_700_000_000_000,
    "identity": "e1",
    "page_size": 50,
    "partitions": {"t": 6},
    "topic_ids": {"t": "id"},
    "snapshot_epoch": 3,
}
STREAMING = decode_checkpoint(codec.encode("checkpoint", RECORD))


def test_a_record_stays_as_written() -> None:
    """Read and written again it has the same bytes; as JSON, as in exports, the same members in order."""
    written = codec.encode("checkpoint", RECORD)
    assert encode_checkpoint(decode_checkpoint(written)) == written
    assert list(flat(STREAMING).items()) == list(RECORD.items())


def test_a_record_that_ends_before_the_epoch_of_its_snapshot_is_read() -> None:
    """It is the last member: earlier releases end before it, and ignore it."""
    written = codec.encode("checkpoint", RECORD)
    former = decode_checkpoint(written[: -len(avro_spec.long(3))])
    assert former.progress == msgspec.structs.replace(STREAMING.progress, snapshot_epoch=0)
    assert (former.position, former.committed_at) == (STREAMING.position, STREAMING.committed_at)


@pytest.mark.parametrize(
    ("edit", "request_"),
    [
        (edits.pause, '{"paused": true}'),
        (edits.resume, None),
        (partial(edits.snapshot, republish=None, allow_deletes=False), None),
        (partial(edits.snapshot, republish=None, allow_deletes=True), '{"allow_deletes": true}'),
        (partial(edits.snapshot, republish="all", allow_deletes=False), '{"republish": "all", "rebase": true}'),
        (
            partial(edits.snapshot, republish=Selection(("post",), ("e1",)), allow_deletes=False),
            '{"republish": {"content_types": ["post"], "ids": ["e1"]}}',
        ),
        (partial(edits.snapshot, republish=None, allow_deletes=False, rows=True), '{"rows": true}'),
        (edits.reset, '{"rebase": true}'),
        (partial(edits.at_cursor, cursor="c1"), None),
    ],
)
def test_a_command_writes_the_request_that_every_release_reads(edit: Edit, request_: str | None) -> None:
    """An owner of a former release obeys a command of this one: the request is the exact text that it knows."""
    assert flat(edit(STREAMING, STREAMING.fingerprint))["request"] == request_


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (None, Request()),
        ('{"paused":true}', Request(paused=True)),
        ('{"republish": "all", "rebase": true}', Request(republish="all", rebase=True)),
        ('{"allow_deletes":true}', Request(allow_deletes=True)),
        ('{"republish":{"content_types":[],"ids":["e1"]}}', Request(republish=Selection((), ("e1",)))),
        ('{"rows":true}', Request(rows=True)),
        ('{"of a later release": 1}', Request()),
    ],
)  # fmt: skip
def test_a_request_of_any_release_is_read(written: str | None, found: Request) -> None:
    """However it is spaced; what this release does not know, it ignores."""
    assert checkpoint(request=written).request == found


def test_a_second_walk_is_kept_in_the_request() -> None:
    """Former releases look for it there, beside an operator's request: neither replaces the other."""
    before = amended(STREAMING, phase="catching_up", request='{"paused":true}')
    walked = before.at(before.position.unfollowed())
    written = flat(walked)
    assert (written["phase"], written["cursor"]) == ("snapshot", None)
    assert json.loads(written["request"]) == {"paused": True, "second_look": True}
    assert amended(walked) == walked


def test_a_second_walk_that_an_earlier_release_has_finished_is_over() -> None:
    """That release keeps its mark until the snapshot ends; then the request is fulfilled, and the mark goes too."""
    before = amended(STREAMING, phase="reconciling", request='{"second_look":true}')
    assert not before.position.second_walk
    assert flat(before.snapshot_finished())["request"] is None


def test_a_second_walk_ends_in_a_reconciliation() -> None:
    """What two walks did not find is gone; there is no third one."""
    first = Position(cursor="c", phase="catching_up", epoch=2, identity="e1", page_size=7)
    second = first.unfollowed()
    assert second == Position(second_walk=True, epoch=2, identity="e1", page_size=7)
    ended = second.advance(cursor="d", caught_up=True).unfollowed()
    assert ended == Position(cursor="d", phase="reconciling", epoch=2, identity="e1", page_size=7)
    assert second.restart() == Position(epoch=3, page_size=7)


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ({"t": "id"}, KnownTopic(6, "id")),
        ({}, KnownTopic(6)),
        ({"t": ""}, KnownTopic(6, replaceable=True)),
        ({"t": "-"}, KnownTopic(6, replaceable=True, former=True)),
        ({"t": "table:id"}, KnownTopic(6, "id", table=True)),
        ({"t": "table:"}, KnownTopic(6, replaceable=True, table=True)),
        ({"t": "table:-"}, KnownTopic(6, replaceable=True, former=True, table=True)),
    ],
)
def test_the_fate_of_a_topic_is_written_in_place_of_its_id(written: dict[str, str], known: KnownTopic) -> None:
    """Empty: any topic will do; a dash: also of a former configuration; those of tables say so first."""
    found = amended(STREAMING, topic_ids=written)
    assert found.progress.topics == {"t": known}
    assert flat(found)["topic_ids"] == written


@pytest.mark.parametrize("page_size", [None, 7])
def test_a_checkpoint_survives_its_record(page_size: int | None) -> None:
    """Every member comes back."""
    stream = Stream()
    selection = Selection(("post",), ("e1", "e2"))
    full = Checkpoint(
        stream="blog",
        fingerprint="f",
        position=Position(
            cursor="c", phase="catching_up", page=3, epoch=4, walk_open=True, second_walk=True, identity="uuid",
            page_size=page_size,
        ),
        progress=Progress(
            sequence=7,
            snapshot_epoch=4,
            key_schema_id=KeySchemaId("confluent", "7"),
            topics={
                "a": KnownTopic(6, "id"),
                "b": KnownTopic(5),
                "c": KnownTopic(4, replaceable=True),
                "d": KnownTopic(3, replaceable=True, former=True),
                "e": KnownTopic(2, "id2", table=True),
            },
        ),
        request=Request(paused=True, republish=selection, allow_deletes=True, rebase=True, rows=True),
    )  # fmt: skip
    committed = stream.publisher.commit_checkpoint(full)
    assert stream.restarted().checkpoint == committed == msgspec.structs.replace(full, committed_at=NOW_MS)
