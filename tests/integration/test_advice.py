"""Every difference that `verify` reports is repaired by the command it advises: both run on the real broker."""

from functools import partial
from typing import Any

from confluent_kafka.admin import AdminClient

from connector.commands import edits, takeover
from connector.config.load import load
from connector.wiring import ConfiguredStream
from tests.command import Ended, Workplace
from tests.scripted import ITEM, ONCE, Place, case, rows, served
from tests.topics import remove


def advice(verified: Ended) -> list[str]:
    """Return the arguments of the command that `verify` advises after finding a difference."""
    assert verified.code == 1, verified
    (line,) = [line for line in verified.out.splitlines() if "contentwire snapshot" in line]
    return line.partition("contentwire ")[2].split()


def repaired(workplace: Workplace, command: list[str]) -> bool:
    """Run the advised command and the stream; return whether the topic then equals the CMS."""
    for each in (command, ONCE):
        ended = workplace.run(*each)
        assert ended.code == 0, ended
    return workplace.run("verify", "blog").code == 0


def test_a_restored_backup_is_repaired_by_the_command_that_verify_gives(place: Place) -> None:
    """Older by clock and revision: everything is published again, because no clock can be trusted."""
    (item,) = case(ITEM)
    sys = {**item["sys"], "revision": 9, "updatedAt": "2024-09-01T10:00:00.000Z"}
    with served([{**item, "sys": sys, "fields": {}}]) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        cms.initial = [item]
        command = advice(workplace.run("verify", "blog"))
        assert command == ["snapshot", "blog", "--all"]
        assert repaired(workplace, command)


def test_an_entity_that_came_back_older_than_its_removal_is_repaired_by_that_command(place: Place) -> None:
    """A backup from before the removal: only the removal's clock shows that the stream would take it for stale."""
    (item,) = case(ITEM)
    gone = {"sys": {"id": "a", "type": "DeletedEntry", "revision": 1, "deletedAt": "2024-09-01T10:00:00.000Z"}}
    with served([item]) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        cms.release([gone])
        assert workplace.run(*ONCE).code == 0
        cms.release([])
        command = advice(workplace.run("verify", "blog"))
        assert command == ["snapshot", "blog", "--all"]
        assert repaired(workplace, command)


def entry(of: Any, entry_id: str, *, revision: int = 1, text: str = "Hi", content_type: str = "post") -> Any:
    """Return an entry like the one of the case."""
    kind = {"sys": {"type": "Link", "linkType": "ContentType", "id": content_type}}
    sys = {**of["sys"], "id": entry_id, "revision": revision, "contentType": kind}
    return {**of, "sys": sys, "fields": {"t": {"en-US": text}}}


def test_each_kind_of_difference_is_repaired_by_name(place: Place) -> None:
    """Missing; stale by content, by revision and behind a reference; filtered; and extra keys that need consent."""
    (item,) = case(ITEM)
    lines = ('content_types = ["post"]', 'oversized = "reference"')
    vanished = [entry(item, f"gone{number}") for number in range(25)]
    filtered = [entry(item, "author1", content_type="author")]
    before = [
        entry(item, "content"),
        entry(item, "revision", revision=3, text="Old"),
        entry(item, "large", text="x" * 5000),
    ]
    after = [entry(item, "content", text="Ho"), entry(item, "revision"), entry(item, "large", text="y" * 5000)]
    with served([*before, *vanished, *filtered]) as cms:
        workplace = place(cms, *lines, tables="max_message_bytes = 2500")
        assert workplace.run(*ONCE).code == 0
        cms.initial = [*after, entry(item, "new"), entry(item, "author1", content_type="author", text="Ho")]
        command = advice(workplace.run("verify", "blog"))
        named = [part for name in ("content", "large", "new", "revision") for part in ("--entity", name)]
        assert command == ["snapshot", "blog", *named, "--allow-deletes"]
        assert repaired(workplace, command)


def test_what_the_stream_does_not_know_of_is_deleted_by_name(place: Place, admin: AdminClient, prefix: str) -> None:
    """Its state was lost, with the index: the topic holds what has left the CMS since, and no snapshot misses it."""
    (item,) = case(ITEM)
    both = [entry(item, "stays"), entry(item, "leaves")]
    with served(both) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        exported = workplace.run("checkpoints", "export", "blog").out
        remove(admin, f"{prefix}.blog.state")
        assert workplace.run("checkpoints", "import", "blog", "-", stdin=exported).code == 0
        cms.initial = [both[0]]
        assert repaired(workplace, ["snapshot", "blog"]) is False
        command = advice(workplace.run("verify", "blog"))
        assert command == ["snapshot", "blog", "--entity", "leaves"]
        assert repaired(workplace, command)
        assert [op for op, _ in rows(workplace)][-1] == "d"


def test_what_the_stream_deletes_meanwhile_is_deleted_once(place: Place) -> None:
    """The topics are read before the stream is taken over, and to their end afterwards: its owner has continued."""
    (item,) = case(ITEM)
    with served([entry(item, "stays"), entry(item, "leaves")]) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        blog = ConfiguredStream(load(workplace.path, workplace.environ), "blog")
        live = blog.live()
        assert len(live.read()) == 2
        gone = {"sys": {"id": "leaves", "type": "DeletedEntry", "revision": 1, "deletedAt": "2024-09-01T10:00:00.000Z"}}
        cms.release([gone])
        cms.initial = [entry(item, "stays")]
        assert workplace.run(*ONCE).code == 0
        takeover.take_over(blog, partial(edits.snapshot, republish="all", allow_deletes=False), live)
        assert workplace.run(*ONCE).code == 0
        assert [op for op, _ in rows(workplace)].count("d") == 1
