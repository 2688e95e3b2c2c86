"""Inputs from the field, each with what was expected: `tests/cases/NN-name`, on the real broker, as users run it."""

import hmac
import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.demo.broker import Broker
from tests.cms import eventually
from tests.command import COMMAND, Workplace
from tests.scriptedcms import ScriptedCms

CASES = Path(__file__).parents[1] / "cases"
ONCE = ("run", "--until-caught-up", "--log-level", "error")

Place = Callable[..., Workplace]


def case(name: str) -> Any:
    """Return the JSON of a case's file."""
    return json.loads((CASES / name).read_text(encoding="utf-8"))


@contextmanager
def served(items: list[Any]) -> Iterator[ScriptedCms]:
    """Serve a space with these items."""
    with ScriptedCms(items).serving() as cms:
        yield cms


@pytest.fixture
def place(tmp_path: Path, kafka: Broker, prefix: str) -> Place:
    """Make a workplace that follows a scripted space as `blog`."""

    def make(cms: ScriptedCms, *lines: str, token: str = '{ env = "T" }', tables: str = "") -> Workplace:
        workplace = Workplace(tmp_path, {"T": "tok-secret-1"}, prefix)
        workplace.write(
            f'[kafka]\nbootstrap_servers = "{kafka.bootstrap}"\nprefix = "{prefix}"\n{tables}\n[connections.blog]\n'
            f'vendor = "contentful"\nspace = "sp"\ntoken = {token}\nbase_url = "{cms.url}"\npoll_interval = 0.2\n'
            + "\n".join(lines)
            + "\n"
        )
        return workplace

    return make


def rows(workplace: Workplace) -> list[tuple[str, dict[str, Any]]]:
    """Return the op and the fields of every event so far, oldest first."""
    events = workplace.lines("tail", "blog", "--from-beginning", "--until-end", "--json")
    values = [each["value"] for each in events if each["value"]]
    return [(each["op"], json.loads((each["after"] or each["before"])["fields"] or "{}")) for each in values]


def test_04_content_that_changed_under_the_same_version_is_published_by_a_snapshot(place: Place) -> None:
    """A locale and a field deleted from the model: `verify` tells, its advice mends, and nothing else is published."""
    before, after = case("04-changed-under-the-same-version/initial-1.json"), None
    after = case("04-changed-under-the-same-version/initial-2.json")
    with served(before) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        cms.initial = after
        told = workplace.run("verify", "blog")
        assert told.code == 1
        assert "-> if the stream is running and current: contentwire snapshot blog" in told.out
        assert workplace.run("verify", "blog", "--shallow").code == 0
        assert workplace.run("snapshot", "blog").code == 0
        assert workplace.run(*ONCE).code == 0
        assert rows(workplace) == [("r", before[0]["fields"]), ("u", {"t": {"en-US": "Hi"}})]
        assert workplace.run("verify", "blog").code == 0


def test_04_a_tag_that_was_deleted_is_content_as_well(place: Place) -> None:
    """Tags stand beside the fields, and consumers see them in `meta`."""
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


def test_04_the_same_content_spelt_otherwise_starts_no_storm(place: Place) -> None:
    """Key order, number spelling and a new member of `sys` are no reason to publish anything."""
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


def test_04_a_removed_draft_of_a_preview_vanishes_by_a_snapshot(place: Place) -> None:
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


def test_04_a_higher_revision_with_an_older_clock_is_newer(place: Place) -> None:
    """In a delta and in a snapshot alike: a change is stale only where nothing about it is newer."""
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


def test_04_a_restored_backup_is_mended_by_the_command_that_verify_gives(place: Place) -> None:
    """Older by clock and revision: everything is published again, for no single clock can be believed."""
    (item,) = case("04-changed-under-the-same-version/initial-1.json")
    sys = {**item["sys"], "revision": 9, "updatedAt": "2024-09-01T10:00:00.000Z"}
    with served([{**item, "sys": sys, "fields": {}}]) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        cms.initial = [item]
        told = workplace.run("verify", "blog")
        assert (told.code, advice(told.out)) == (1, ["snapshot", "blog", "--all"])
        assert workplace.run(*advice(told.out)).code == 0
        assert workplace.run(*ONCE).code == 0
        assert workplace.run("verify", "blog").code == 0


def advice(told: str) -> list[str]:
    """Return the arguments of the command that `verify` gives."""
    (line,) = [line for line in told.splitlines() if "contentwire snapshot" in line]
    return line.partition("contentwire ")[2].split()


def revisions(workplace: Workplace) -> list[int]:
    """Return the revisions published so far."""
    events = workplace.lines("tail", "blog", "--from-beginning", "--until-end", "--json")
    return [each["value"]["after"]["revision"] for each in events if each["value"]]


def test_01_a_log_that_nobody_reads_costs_no_stream(place: Place) -> None:
    """The reader of stderr is gone: both deltas are published all the same."""
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
    """No line can be written: everything is published, and the process ends in order."""
    initial, first, _ = (each["items"] for each in case("01-log-sink-gone/pages.json"))
    with served(initial) as cms, Path("/dev/full").open("w", encoding="utf-8") as full:
        workplace = place(cms)
        child = subprocess.Popen([*COMMAND, "run"], cwd=workplace.folder, env=workplace._environ(), stderr=full)
        eventually(lambda: len(cms.requests) > 3, within=30)
        cms.release(first)
        eventually(lambda: revisions(workplace) == [1, 2], within=30)
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 143


ITEM = "04-changed-under-the-same-version/initial-1.json"


@pytest.mark.parametrize("status", [408, 425, 409, 401, 403, 404, 418, 503])
def test_03_one_passing_refusal_costs_nothing(place: Place, status: int) -> None:
    """Whatever a gateway, firewall, edge or fresh key makes the API say once: exit 0, everything is published."""
    with served(case(ITEM)) as cms:
        cms.refusals = [(status, {"Content-Type": "text/plain"}, b"upstream request timeout")]
        workplace = place(cms)
        ended = workplace.run(*ONCE)
        assert ended.code == 0, ended
        assert revisions(workplace) == [1]


def test_06_a_token_rotated_in_its_file_is_read_again(place: Place) -> None:
    """The old one is refused, the file holds the new one: the stream never stops, and nobody restarts anything."""
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
    """Probes, `status` and its exit code tell it; `resume` waits for what comes of it, and says so by its exit code."""
    with served(case(ITEM)) as cms:
        workplace = place(cms, token='{ file = "tok" }', tables="")
        workplace.edit(r"\Z", '[server]\nlisten = "127.0.0.1:0"\n')
        (workplace.folder / "tok").write_text("old-token")
        cms.accepted = {"another"}
        code = workplace.run(*ONCE).code
        assert code == 1
        told = workplace.run("status")
        assert told.code == 1
        assert "stopped" in told.out
        assert "401" in told.out
        cms.accepted = {"old-token"}
        assert workplace.run(*ONCE).code == 0
        assert workplace.run("status").code == 0
        with workplace.start("run") as run:
            assert run.said('"recovered"')
            eventually(lambda: workplace.run("resume", "blog").code == 0, within=60)
            run.ends(signal.SIGTERM)


def test_07_no_place_for_a_large_walk_is_told_and_passes(place: Place) -> None:
    """No temporary folder: the hint names TMPDIR, and the stream goes on once there is one."""
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


def test_09_a_secret_with_a_blank_is_a_mistake_of_the_configuration(place: Place) -> None:
    """Exit 2 with the setting's name, and no request is ever sent; a newline at the end of a file is none."""
    with served(case(ITEM)) as cms:
        workplace = place(cms, token='{ file = "tok" }')
        (workplace.folder / "tok").write_bytes((CASES / "09-secret-with-a-blank" / "tok").read_bytes())
        ended = workplace.run(*ONCE)
        assert ended.code == 2
        assert "connections.blog.token" in ended.err
        assert "blank" in ended.err
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
    """A command works, or says one line and ends with a code."""
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
    """Looking at a stream takes no credential of its CMS; what does take one says which."""
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


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def called(port: int, path: str, headers: dict[str, str]) -> int:
    """Return the status that a webhook call is answered with."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", b"{}", headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def signature(path: str) -> dict[str, str]:
    """Return headers as Contentful's toolkit makes them, built without the code under test."""
    stamp = str(time.time_ns() // 1_000_000)
    text = f"POST\n{path}\nx-contentful-timestamp:{stamp}\n".encode() + b"{}"
    signed = hmac.new(b"s" * 64, text, "sha256").hexdigest()
    names = {"x-contentful-signed-headers": "x-contentful-timestamp", "x-contentful-timestamp": stamp}
    return {**names, "x-contentful-signature": signed}


def test_10_a_webhook_behind_a_gateway_wakes(place: Place) -> None:
    """A query is signed escaped, a prefix that a gateway takes off is configured, and refusals leave a trace."""
    with served(case(ITEM)) as cms:
        workplace, port = place(cms, 'webhook_secret = { env = "W" }'), free_port()
        workplace.environ["W"] = "s" * 64
        workplace.edit(r"\Z", f'[server]\nlisten = "127.0.0.1:{port}"\npublic_path = "/cms"\n')
        with workplace.start("run") as run:
            assert run.said('"recovered"')
            assert called(port, "/webhooks/blog?env=prod", signature("/webhooks/blog?env%3Dprod")) == 202
            assert called(port, "/webhooks/blog", signature("/cms/webhooks/blog")) == 202
            assert called(port, "/webhooks/blog", signature("/other/webhooks/blog")) == 401
            assert run.said("a webhook call was refused")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                assert 'contentwire_webhooks_total{connection="blog",outcome="wrong"} 1.0' in answer.read().decode()
            run.ends(signal.SIGTERM)


def test_a_webhook_is_handed_on_to_the_owner(place: Place) -> None:
    """A load balancer sends calls to any process: the stream's owner polls at once, and publishes what is new."""
    with served(case(ITEM)) as cms:
        workplace, ports = place(cms, 'webhook_secret = { env = "W" }'), (free_port(), free_port())
        workplace.environ["W"] = "s" * 64
        workplace.edit(r"poll_interval = 0\.2", "poll_interval = 3600")
        workplace.edit(r"\Z", f'[server]\nlisten = "127.0.0.1:{ports[0]}"\n')
        with workplace.start("run") as owner:
            assert owner.said('"committed"')
            workplace.edit(f":{ports[0]}", f":{ports[1]}")
            with workplace.start("run") as other:
                assert other.said('"listening"')
                shared = {"X-Contentwire-Secret": "s" * 64}
                eventually(lambda: called(ports[1], "/webhooks/blog", shared) == 202, within=30)
                cms.release([{**case(ITEM)[0], "sys": {**case(ITEM)[0]["sys"], "revision": 2}}])
                eventually(
                    lambda: called(ports[1], "/webhooks/blog", shared) and revisions(workplace) == [1, 2], within=60
                )
                with urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}/metrics", timeout=10) as answer:
                    told = answer.read().decode()
                assert 'contentwire_webhooks_total{connection="blog",outcome="handed_on"} 0.0' not in told
                other.ends(signal.SIGTERM)
            owner.ends(signal.SIGTERM)


def test_sighup_reloads_or_says_why_not(place: Place) -> None:
    """What cannot be used is refused with a line, and the former configuration goes on; what can is followed."""
    with served(case(ITEM)) as cms:
        workplace = place(cms)
        with workplace.start("run") as run:
            assert run.said('"recovered"')
            before = workplace.path.read_text()
            workplace.write("nonsense = [")
            run.child.send_signal(signal.SIGHUP)
            assert run.said("configuration not reloaded")
            workplace.write(before.replace("poll_interval = 0.2", 'poll_interval = 0.3\ncontent_types = ["other"]'))
            run.child.send_signal(signal.SIGHUP)
            assert run.said('"configuration reloaded"')
            eventually(lambda: [op for op, _ in rows(workplace)] == ["r", "d"], within=60)
            assert run.ends(signal.SIGTERM).code == 143
