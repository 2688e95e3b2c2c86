"""Inputs from the field, each with the expected outcome: `tests/cases/NN-name`, on the real broker, as users run it."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.cms import eventually
from tests.command import COMMAND
from tests.scripted import CASES, ITEM, ONCE, Place, case, revisions, rows, served


def test_04_content_that_changed_under_the_same_version_is_published_by_a_snapshot(place: Place) -> None:
    """A locale and a field deleted from the model: `verify` reports it, its advice repairs it, no more is published."""
    before, after = case("04-changed-under-the-same-version/initial-1.json"), None
    after = case("04-changed-under-the-same-version/initial-2.json")
    with served(before) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        cms.initial = after
        verified = workplace.run("verify", "blog")
        assert verified.code == 1
        assert "-> if the stream is running and current: contentwire snapshot blog" in verified.out
        assert workplace.run("verify", "blog", "--shallow").code == 0
        assert workplace.run("snapshot", "blog").code == 0
        assert workplace.run(*ONCE).code == 0
        assert rows(workplace) == [("r", before[0]["fields"]), ("u", {"t": {"en-US": "Hi"}})]
        assert workplace.run("verify", "blog").code == 0


def test_04_a_deleted_tag_is_a_change_of_content(place: Place) -> None:
    """Tags are beside the fields, and consumers see them in `meta`."""
    (item,) = case("04-changed-under-the-same-version/initial-1.json")
    tagged = {**item, "metadata": {"tags": [{"sys": {"type": "Link", "linkType": "Tag", "id": "old"}}]}}
    with served([tagged]) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        cms.initial = [{**item, "metadata": {"tags": []}}]
        assert workplace.run("verify", "blog").code == 1
        assert workplace.run("snapshot", "blog").code == 0
        assert workplace.run(*ONCE).code == 0
        assert [op for op, _ in rows(workplace)] == ["r", "u"]
        assert workplace.run("verify", "blog").code == 0


def test_04_the_same_content_spelt_differently_publishes_nothing(place: Place) -> None:
    """Key order, the spelling of numbers and a new member of `sys` are no reason to publish anything."""
    (item,) = case("04-changed-under-the-same-version/initial-1.json")
    item["fields"]["n"] = {"en-US": 10}
    with served([item]) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        fields = dict(reversed(item["fields"].items()))
        cms.initial = [{"fields": {**fields, "n": {"en-US": 10.0}}, "sys": {**item["sys"], "publishedVersion": 3}}]
        assert workplace.run("snapshot", "blog").code == 0
        assert workplace.run(*ONCE).code == 0
        assert [op for op, _ in rows(workplace)] == ["r"]
        assert workplace.run("verify", "blog").code == 0


def test_04_a_snapshot_deletes_a_removed_draft_of_a_preview(place: Place) -> None:
    """A preview cannot be followed, so a snapshot reads it twice before it concludes that anything has vanished."""
    (item,) = case("04-changed-under-the-same-version/initial-1.json")
    other = {**item, "sys": {**item["sys"], "id": "draft"}}
    with served([item, other]) as cms:
        workplace = place(cms, "preview = true", 'snapshot_mode = "initial_only"')
        assert workplace.run(*ONCE).code == 0
        cms.initial = [item]
        assert workplace.run("verify", "blog").code == 1
        assert workplace.run("snapshot", "blog").code == 0
        assert workplace.run(*ONCE).code == 0
        assert [op for op, _ in rows(workplace)] == ["r", "r", "d"]
        assert workplace.run("verify", "blog").code == 0


def test_04_a_draft_that_one_walk_of_a_preview_missed_is_kept(place: Place) -> None:
    """Items move between pages while they are read, and no delta reports it: only what both walks lack has vanished."""
    (item,) = case("04-changed-under-the-same-version/initial-1.json")
    both = [item, {**item, "sys": {**item["sys"], "id": "draft"}}]
    with served(both) as cms:
        workplace = place(cms, "preview = true", 'snapshot_mode = "initial_only"')
        assert workplace.run(*ONCE).code == 0
        for walks in ([[item], both], [both, [item]]):
            cms.walks = walks.copy()
            assert workplace.run("snapshot", "blog").code == 0
            assert workplace.run(*ONCE).code == 0
            assert cms.walks == []
        assert [op for op, _ in rows(workplace)] == ["r", "r"]


def test_04_a_higher_revision_with_an_older_clock_is_newer(place: Place) -> None:
    """In both a delta and a snapshot: a change is stale only if nothing about it is newer."""
    (item,) = case("04-changed-under-the-same-version/initial-1.json")
    later = {**item, "sys": {**item["sys"], "revision": 2, "updatedAt": "2024-04-01T10:00:00.000Z"}, "fields": {}}
    with served([item]) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        cms.release([later])
        cms.initial = [later]
        assert workplace.run(*ONCE).code == 0
        assert [op for op, _ in rows(workplace)] == ["r", "u"]
        assert workplace.run("verify", "blog").code == 0


def test_01_a_log_that_nobody_reads_costs_no_stream(place: Place) -> None:
    """The reader of stderr is gone: both deltas are published anyway."""
    initial, first, second = (each["items"] for each in case("01-log-sink-gone/pages.json"))
    with served(initial) as cms:
        workplace = place(cms)
        child = subprocess.Popen(
            [*COMMAND, "run"], cwd=workplace.folder, env=workplace._environ(), stderr=subprocess.PIPE
        )
        assert child.stderr
        try:
            eventually(lambda: len(cms.requests) > 3, within=30)
            child.stderr.close()
            cms.release(first)
            eventually(lambda: revisions(workplace) == [1, 2], within=30)
            cms.release(second)
            eventually(lambda: revisions(workplace) == [1, 2, 3], within=30)
        finally:
            child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 143


def test_01_a_full_log_disk_costs_no_stream(place: Place) -> None:
    """No line can be written: everything is published, and the process ends cleanly."""
    initial, first, _ = (each["items"] for each in case("01-log-sink-gone/pages.json"))
    with served(initial) as cms, Path("/dev/full").open("w", encoding="utf-8") as full:
        workplace = place(cms)
        child = subprocess.Popen([*COMMAND, "run"], cwd=workplace.folder, env=workplace._environ(), stderr=full)
        eventually(lambda: len(cms.requests) > 3, within=30)
        cms.release(first)
        eventually(lambda: revisions(workplace) == [1, 2], within=30)
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 143


@pytest.mark.parametrize("status", [408, 425, 409, 401, 403, 404, 418, 503])
def test_03_one_temporary_refusal_costs_nothing(place: Place, status: int) -> None:
    """Whatever a gateway, firewall, edge or new key makes the API answer once: exit 0, everything is published."""
    with served(case(ITEM)) as cms:
        cms.refusals = [(status, {"Content-Type": "text/plain"}, b"upstream request timeout")]
        workplace = place(cms)
        ended = workplace.run(*ONCE)
        assert ended.code == 0, ended
        assert revisions(workplace) == [1]


def test_06_a_token_rotated_in_its_file_is_read_again(place: Place) -> None:
    """The old one is refused, the file holds the new one: the stream never stops and needs no restart."""
    with served(case(ITEM)) as cms:
        workplace = place(cms, token='{ file = "tok" }')
        token = workplace.folder / "tok"
        token.write_text("old-token\n")
        cms.accepted = {"old-token"}
        with workplace.start("run") as run:
            eventually(lambda: len(cms.requests) > 3, within=30)
            cms.accepted = {"new-token"}
            token.write_text("new-token\n")
            assert run.said("secrets were read again")
            cms.release([{**case(ITEM)[0], "sys": {**case(ITEM)[0]["sys"], "revision": 2}}])
            eventually(lambda: revisions(workplace) == [1, 2], within=30)
            assert workplace.run("status").code == 0
            assert "old-token" not in run.ends(signal.SIGTERM).err


def test_06_a_stopped_stream_is_visible_and_resumed(place: Place) -> None:
    """Probes, `status` and its exit code show it; `resume` waits for the outcome, and its exit code reports it."""
    with served(case(ITEM)) as cms:
        workplace = place(cms, token='{ file = "tok" }', tables="")
        workplace.edit(r"\Z", '[server]\nlisten = "127.0.0.1:0"\n')
        (workplace.folder / "tok").write_text("old-token")
        cms.accepted = {"another"}
        code = workplace.run(*ONCE).code
        assert code == 1
        status = workplace.run("status")
        assert status.code == 1
        assert "stopped" in status.out
        assert "401" in status.out
        cms.accepted = {"old-token"}
        assert workplace.run(*ONCE).code == 0
        assert workplace.run("status").code == 0
        with workplace.start("run") as run:
            assert run.said('"recovered"')
            eventually(lambda: workplace.run("resume", "blog").code == 0, within=60)
            run.ends(signal.SIGTERM)


def test_07_no_space_for_a_large_walk_is_reported_and_retried(place: Place) -> None:
    """No temporary folder: the hint names TMPDIR, and the stream continues once there is one."""
    with served(case(ITEM)) as cms:
        workplace = place(cms, tables="commit_bytes = 16384")
        assert workplace.run(*ONCE).code == 0
        (item,) = case(ITEM)
        large = [
            {**item, "sys": {**item["sys"], "id": f"e{number}"}, "fields": {"t": {"en-US": "x" * 1000}}}
            for number in range(60)
        ]
        cms.release(large)
        temporary = workplace.folder / "tmp"
        workplace.environ["TMPDIR"] = str(temporary)
        only = f"import tempfile; tempfile._candidate_tempdir_list = lambda: [{str(temporary)!r}]; "
        program = only + "import sys; sys.argv[0] = 'contentwire'; from connector.__main__ import main; main()"
        with subprocess.Popen(
            [COMMAND[0], "-c", program, "run"],
            cwd=workplace.folder,
            env=workplace._environ(),
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as child:
            assert child.stderr
            line = next(line for line in child.stderr if "LocalTrouble" in line)
            assert "TMPDIR" in line
            temporary.mkdir()
            eventually(lambda: len(revisions(workplace)) == 61, within=60)
            child.send_signal(signal.SIGTERM)
            child.stderr.read()


def test_09_a_secret_with_whitespace_at_an_end_is_a_configuration_error(place: Place) -> None:
    """Exit 2 with the setting's name, and no request is sent; a newline at the end of a file does not count."""
    with served(case(ITEM)) as cms:
        workplace = place(cms, token='{ file = "tok" }')
        (workplace.folder / "tok").write_bytes((CASES / "09-secret-with-a-blank" / "tok").read_bytes())
        ended = workplace.run(*ONCE)
        assert ended.code == 2
        assert "connections.blog.token" in ended.err
        assert "whitespace" in ended.err
        assert cms.requests == []
        (workplace.folder / "tok").write_text("tok-secret-1\n")
        assert workplace.run(*ONCE).code == 0


def test_12_a_filter_that_nothing_can_apply_is_refused(place: Place) -> None:
    """One item carries every locale: exit 2 with the reason and what to do instead."""
    line = (CASES / "12-locales-on-contentful" / "connection.toml").read_text().splitlines()[0]
    with served(case(ITEM)) as cms:
        ended = place(cms, line).run("check")
        assert ended.code == 2
        assert "connections.blog.locales" in ended.out
        assert "every locale" in ended.out


@pytest.mark.parametrize(
    ("redirection", "arguments", "codes"),
    [
        (">&-", "status", {0}),
        (">&-", "tail blog --from-beginning --until-end", {0}),
        ("2>&-", "run --until-caught-up", {0}),
        (">/dev/full", "check", {1}),
        (">/dev/full", "status", {1}),
        ("2>/dev/full", "run --until-caught-up", {0}),
        ("<&- >&- 2>&-", "run --until-caught-up", {0}),
        ("<&-", "checkpoints reset blog", {2}),
        (">&- 2>&-", "check", {0}),
    ],
)
def test_14_closed_and_full_outputs_end_nothing_in_a_traceback(
    place: Place, redirection: str, arguments: str, codes: set[int]
) -> None:
    """A command works, or prints one line and ends with an exit code."""
    with served(case(ITEM)) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        ended = subprocess.run(
            ["/bin/sh", "-c", f"{' '.join(COMMAND)} {arguments} {redirection}"],
            cwd=workplace.folder,
            env=workplace._environ(),
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        assert ended.returncode in codes, ended
        assert "Traceback" not in ended.stderr
        if ended.returncode == 1:
            assert len(ended.stderr.splitlines()) == 1


def test_commands_need_only_the_secrets_that_they_use(place: Place) -> None:
    """Looking at a stream needs no credential of its CMS; a command that needs one says which."""
    with served(case(ITEM)) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        del workplace.environ["T"]
        for arguments in (
            ("status",),
            ("tail", "blog", "--from-beginning", "--until-end"),
            ("dead-letters", "blog"),
            ("checkpoints", "show", "blog"),
            ("checkpoints", "export", "blog"),
            ("pause", "blog"),
            ("resume", "blog"),
        ):
            ended = workplace.run(*arguments)
            assert ended.code == 0, (arguments, ended)
        refused = workplace.run("verify", "blog")
        assert (refused.code, "environment variable T is not set" in refused.err) == (2, True)
