"""What the host allows, seen from child processes with their own limits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def child(code: str, **environ: str) -> str:
    """Run code in a separate process; return what it prints."""
    run = [sys.executable, "-c", f"import resource, connector.limits as limits\n{code}"]
    ended = subprocess.run(run, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True, check=True)
    return ended.stdout.strip()


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    """A process started with few descriptors raises its limit to the maximum allowed."""
    code = """
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 300))
print(limits.descriptors(), limits.raise_descriptors(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    assert child(code) == "40 300 300 300"


def test_a_limit_that_the_system_refuses_stays_as_it_was() -> None:
    """A hard limit of "none" that the system does not grant: the process takes less, and continues."""
    code = """
granted = []
def refusing(kind, pair, real=resource.setrlimit):
    granted.append(pair)
    if pair[0] == resource.RLIM_INFINITY or pair[0] > 10_240:
        raise ValueError("not allowed to raise maximum limit")
resource.getrlimit = lambda kind: granted[-1] if len(granted) > 2 else (256, resource.RLIM_INFINITY)
resource.setrlimit = refusing
print(limits.raise_descriptors())
"""
    assert child(code) == "10240"


def test_the_folder_for_temporary_files_is_found(tmp_path: Path) -> None:
    """`TMPDIR` decides, and the free bytes are that folder's."""
    folder, free = child("print(*limits.scratch())", TMPDIR=str(tmp_path)).split()
    assert (folder, int(free) > 0) == (str(tmp_path), True)


ROOT_ALONE = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user who has no other thread")


@ROOT_ALONE
def test_a_lack_of_threads_is_reported() -> None:
    """A process that may have twelve threads has room for five more, not for fifty; the test leaves none behind."""
    code = """
import os, threading
from connector.errors import LocalTrouble
os.setgroups([]); os.setgid(54_321); os.setuid(54_321)
resource.setrlimit(resource.RLIMIT_NPROC, (12, 12))
limits.expect_threads(5)
try:
    limits.expect_threads(50)
except LocalTrouble as error:
    print(threading.active_count(), error, error.hint)
"""
    assert child(code).startswith("1 this machine refuses something: another thread raise the limit of processes")


@ROOT_ALONE
@pytest.mark.parametrize("allowed", range(6, 22))
def test_a_process_without_threads_for_a_kafka_client_lives_on(allowed: int) -> None:
    """At some of these numbers the library's assertion would end it: an error says what is missing instead."""
    code = f"""
import os
from confluent_kafka import Producer
from connector.errors import LocalTrouble
from connector.kafka.client import construct
os.setgroups([]); os.setgid(54_321); os.setuid(54_321)
resource.setrlimit(resource.RLIMIT_NPROC, ({allowed}, {allowed}))
made = []
try:
    for number in range(9):
        client = {{"bootstrap.servers": "127.0.0.1:1,127.0.0.1:2", "transactional.id": f"blog{{number}}"}}
        made.append(construct(Producer, client))
except LocalTrouble as error:
    print(error)
"""
    assert child(code) == "this machine refuses something: another thread"
