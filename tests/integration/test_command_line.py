"""The command line in a separate process, without a broker: what it refuses, what it writes, how it ends."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import tomllib
from pathlib import Path

import pytest

from connector.config.load import load
from connector.model.core import CORE
from tests.command import COMMAND, Ended, Workplace


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """Return an empty folder to run commands in."""
    return Workplace(tmp_path, {"CONTENTFUL_TOKEN": "tok-123-secret"})


def test_init_writes_a_configuration_that_loads(workplace: Workplace) -> None:
    """The sample is written where --config says, is valid, and names the next step."""
    ended = workplace.run("--config", "mine.toml", "init")
    assert ended.code == 0
    assert "contentwire check" in ended.out
    assert load(workplace.folder / "mine.toml", workplace.environ).connections.keys() == {"blog"}


def test_init_overwrites_nothing_without_force(workplace: Workplace) -> None:
    """Without --force an existing file stays as it is, and the message says how to proceed."""
    workplace.write("mine")
    ended = workplace.run("init")
    assert (ended.code, workplace.path.read_text()) == (2, "mine")
    assert "--force" in ended.err
    assert workplace.run("init", "--force").code == 0
    assert tomllib.loads(workplace.path.read_text())["kafka"]


def test_the_environment_names_the_configuration(workplace: Workplace) -> None:
    """CONTENTWIRE_CONFIG replaces --config."""
    workplace.environ["CONTENTWIRE_CONFIG"] = "elsewhere.toml"
    assert "elsewhere.toml: cannot be read" in workplace.run("status").err


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("tail",),
        ("tail", "blog", "--limit", "0"),
        ("run", "--log-format", "xml"),
        ("checkpoints", "import", "blog"),
        ("checkpoints", "import", "blog", "--cursor", "c", "-"),
        ("checkpoints", "reset", "blog"),
    ],
)
def test_a_wrong_command_line_ends_with_2(workplace: Workplace, arguments: tuple[str, ...]) -> None:
    """What cannot be parsed, or needs a terminal to confirm, changes nothing and shows the usage."""
    workplace.run("init")
    ended = workplace.run(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "Usage: contentwire" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_checkpoints_list_points_to_status(workplace: Workplace, options: tuple[str, ...]) -> None:
    """One command lists all streams, and the error names it."""
    ended = workplace.run("checkpoints", "list", *options)
    assert (ended.code, ended.out) == (2, "")
    assert "`contentwire status` lists them" in ended.err


def test_an_error_shows_its_traceback_only_on_demand(workplace: Workplace) -> None:
    """One line says what happened, one what to do; --debug adds the traceback."""
    ended = workplace.run("status")
    assert ended.err.splitlines() == [
        "contentwire: contentwire.toml: cannot be read: No such file or directory",
        "  -> `contentwire init` writes a sample",
    ]
    assert "Traceback" in workplace.run("--debug", "status").err


def test_the_version_is_printed(workplace: Workplace) -> None:
    """--version works without a configuration."""
    ended = workplace.run("--version")
    assert (ended.code, ended.out.split()[0]) == (0, "contentwire,")
    assert ended.out.rstrip().endswith(f"{'with' if CORE else 'without'} the compiled core")


def shell(workplace: Workplace, line: str) -> Ended:
    """Run a line of shell in which `contentwire` is the command."""
    program = f'contentwire() {{ {" ".join(COMMAND)} "$@"; }}; {line}'
    found = subprocess.run(
        ["/bin/bash", "-c", program],
        cwd=workplace.folder,
        env=workplace._environ(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return Ended(found.returncode, found.stdout, found.stderr)


@pytest.mark.parametrize("arguments", ["run --help", "init --force"])
@pytest.mark.parametrize("redirection", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_output_to_a_closed_stream_is_discarded(workplace: Workplace, arguments: str, redirection: str) -> None:
    """Whoever closes an output wants none: the command has succeeded."""
    assert shell(workplace, f"contentwire {arguments} {redirection}") == (0, "", "")


@pytest.mark.parametrize("arguments", ["--help", "init --force", "check"])
@pytest.mark.parametrize("redirection", [">/dev/full", "1</dev/null"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_a_failure_in_one_line(
    workplace: Workplace, arguments: str, redirection: str, unbuffered: str
) -> None:
    """The output is lost: exit 1, and why; also in images that set PYTHONUNBUFFERED."""
    workplace.environ["PYTHONUNBUFFERED"] = unbuffered
    ended = shell(workplace, f"contentwire {arguments} {redirection}")
    assert (ended.code, len(ended.err.splitlines())) == (1, 1), ended
    assert "the output cannot be written" in ended.err
    assert shell(workplace, f"contentwire {arguments} {redirection} 2>&-") == (1, "", "")


@pytest.mark.parametrize("arguments", ["--help", "check"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_closes_the_pipe_is_no_failure(workplace: Workplace, arguments: str, unbuffered: str) -> None:
    """A pipe without a reader ends a command quietly, with 0; also in images that set PYTHONUNBUFFERED."""
    workplace.environ["PYTHONUNBUFFERED"] = unbuffered
    ended = shell(workplace, f"{{ sleep 0.01; contentwire {arguments}; echo $? >&2; }} | exec true")
    assert ended.err == "0\n"


def test_errors_that_cannot_be_printed_keep_their_exit_code(workplace: Workplace) -> None:
    """A full disk behind standard error does not change the exit code."""
    assert shell(workplace, "contentwire status 2>/dev/full").code == 2
    assert shell(workplace, "contentwire status 2>&-").code == 2


def test_trouble_of_the_machine_is_not_taken_for_the_output(workplace: Workplace) -> None:
    """A file that cannot be read ends a command with 3, without a message about output."""
    ended = shell(workplace, "contentwire checkpoints import blog /proc/self/mem")
    assert (ended.code, "Traceback" in ended.err, "output cannot" in ended.err) == (3, False, False), ended
    assert "Input/output error" in ended.err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_characters_that_an_encoding_lacks_end_no_command(workplace: Workplace, encoding: str) -> None:
    """A terminal without Unicode shows the remaining characters."""
    workplace.environ["PYTHONIOENCODING"] = encoding
    workplace.write('[kafka]\n"日本-setting" = 1\n')
    ended = shell(workplace, "contentwire check 2>&1 | iconv -f latin1 -t utf8; exit ${PIPESTATUS[0]}")
    assert (ended.code, "Traceback" in ended.out) == (2, False)
    assert "-setting: unknown key" in ended.out


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_command_cleanly(workplace: Workplace, number: signal.Signals) -> None:
    """129, 143 and 130 by signal, without a traceback."""
    with workplace.start("simulate", "--port", "0") as running:
        assert running.child.stdout
        assert "simulated CMSs" in running.child.stdout.readline()
        ended = running.ends(number)
    assert (ended.code, ended.err.strip()) == (128 + number, "")


@pytest.mark.parametrize("columns", [60, 80])
def test_a_narrow_terminal_shows_every_word(workplace: Workplace, columns: int) -> None:
    """The findings and hints of `check` can be read on a real terminal of that width."""
    workplace.write('[kafka]\nbootstrap_servers = "b:9092"\n\n[connections.blog]\nvendor = "contentfull"\n')
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        [*COMMAND, "check"], cwd=workplace.folder, env=workplace._environ(), stdin=there, stdout=there, stderr=there
    ) as child:
        os.close(there)
        shown = b""
        # Reading from a terminal whose other end is closed is an error.
        with contextlib.suppress(OSError), os.fdopen(here, "rb", buffering=0) as terminal:
            while more := terminal.read(4096):
                shown += more
    assert child.returncode == 2
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode())
    assert {
        "failed",
        "configuration",
        "connections.blog.vendor:",
        "'contentfull';",
        "weegloo",
        "correct",
        "file",
    } <= set(text.split())
    assert max(map(len, text.splitlines())) <= columns


def test_a_cursor_need_not_stand_on_the_command_line(workplace: Workplace) -> None:
    """Everybody on the machine could read it there: - reads it from standard input, and an empty one is refused."""
    ended = workplace.run("checkpoints", "import", "blog", "--cursor", "-", stdin="\n")
    assert ended.code == 2
    assert "no cursor on standard input" in ended.err
