"""What the host allows, seen from child processes whose limits are their own."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from connector import limits

ROOT = Path(__file__).parents[2]


def child(code: str, **environ: str) -> str:
    """Run code in a process of its own; return what it prints."""
    run = [sys.executable, "-c", f"import resource, connector.limits as limits\n{code}"]
    told = subprocess.run(run, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True, check=True)
    return told.stdout.strip()


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    """A process started with few descriptors takes what it is allowed at most."""
    code = """
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 300))
print(limits.descriptors(), limits.raise_descriptors(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    assert child(code) == "40 300 300 300"


def test_what_the_system_refuses_stays_as_it_was() -> None:
    """A hard limit of "none" that the system does not grant: the process takes less, and goes on."""
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


def test_more_connections_and_brokers_need_more_descriptors() -> None:
    """At 1,024 descriptors and one broker, 60 connections have enough and 70 do not; three brokers take more."""
    assert limits.needed(60) <= 1024 < limits.needed(70)
    assert limits.needed(60, brokers=3) > 1.5 * limits.needed(60)


def test_the_folder_for_temporary_files_is_found(tmp_path: Path) -> None:
    """`TMPDIR` decides, and the free bytes are the folder's."""
    folder, free = child("print(*limits.scratch())", TMPDIR=str(tmp_path)).split()
    assert (folder, int(free) > 0) == (str(tmp_path), True)


def test_no_folder_to_write_in_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As with a read-only root: an `OSError`, not a folder that will fail later."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(OSError, match="gone"):
        limits.scratch()
