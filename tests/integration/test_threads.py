"""A machine out of threads: the process says so and waits, it does not die."""

import os
import signal
import subprocess

import pytest

from tests.cms import eventually
from tests.command import COMMAND, Running, Workplace
from tests.scripted import ITEM, Place, case, rows, served

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user who has no other thread")

# Becomes a user whose threads are counted separately, after importing everything that this user may not read.
PROGRAM = """
import certifi, encodings.idna, encodings.utf_8_sig, hmac, importlib.readers, os, stringprep, sys, uuid
import connector.cli.main, connector.service.process, resource, signal
def allow(threads):
    resource.setrlimit(resource.RLIMIT_NPROC, (threads, 4_000))
signal.signal(signal.SIGUSR1, lambda *_: allow(len(os.listdir("/proc/self/task")) + {more}))
signal.signal(signal.SIGUSR2, lambda *_: allow(4_000))
os.setgroups([]); os.setgid(54_322); os.setuid(54_322)
sys.argv[0] = 'contentwire'
from connector.__main__ import main
main()
"""


def started(workplace: Workplace, more: int) -> Running:
    """Start a process as a separate user, which may have only `more` further threads from SIGUSR1 to SIGUSR2."""
    workplace.folder.chmod(0o777)
    log = workplace.folder / "run.log"
    with log.open("w") as err:
        child = subprocess.Popen(
            [COMMAND[0], "-c", PROGRAM.format(more=more), "run"],
            cwd=workplace.folder,
            env=workplace._environ(),
            stderr=err,
            stdout=subprocess.DEVNULL,
            encoding="utf-8",
        )
    return Running(child, log)


@pytest.mark.parametrize("more", [0, 2])
def test_a_stream_without_a_further_thread_waits_for_one(place: Place, more: int) -> None:
    """A takeover needs a new Kafka client: without threads the stream says so, and continues once there are some."""
    (item,) = case(ITEM)
    with served([item]) as cms:
        workplace = place(cms)
        with started(workplace, more) as running:
            eventually(lambda: [op for op, _ in rows(workplace)] == ["r"], within=60)
            running.child.send_signal(signal.SIGUSR1)
            cms.initial = [{**item, "fields": {"t": {"en-US": "Hi"}}}]
            assert workplace.run("snapshot", "blog").code == 0
            assert running.said("ulimit -u")
            running.child.send_signal(signal.SIGUSR2)
            eventually(lambda: [op for op, _ in rows(workplace)] == ["r", "u"], within=60)
            assert running.ends(signal.SIGTERM).code == 128 + signal.SIGTERM
