"""A real Prometheus: the one in PATH, else Debian's package, fetched into the user's cache without installing it."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from connector.devservers.child import Child, free_ports


def binary(name: str) -> str:
    """Return where `prometheus` or `promtool` is; without it the test is skipped, or fails if `CI` is set."""
    if found := shutil.which(name):
        return found
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "contentwire" / "prometheus"
    path = folder / "usr" / "bin" / name
    try:
        if not path.exists():
            _fetch(folder)
    except (OSError, subprocess.SubprocessError) as error:
        reason = f"no {name}: install Debian's package prometheus, or put it into PATH ({error})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return str(path)


def started(configuration: Path, folder: Path) -> tuple[Child, str]:
    """Start it with a configuration; return the process and its URL."""
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    command = [
        binary("prometheus"),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    return Child(command, log=folder / "prometheus.log", folder=folder), f"http://{address}"


def _fetch(folder: Path) -> None:
    staging = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(staging, ignore_errors=True)
    (staging / "lists" / "partial").mkdir(parents=True)
    try:
        try:
            _run(["apt-get", "download", "prometheus"], staging)
        except subprocess.CalledProcessError:
            # The machine's package lists may be empty, and not ours to write: use our own.
            own = ["-o", f"Dir::State::lists={staging / 'lists'}", "-o", f"Dir::Cache={staging}"]
            _run(["apt-get", *own, "update"], staging)
            _run(["apt-get", *own, "download", "prometheus"], staging)
        (package,) = staging.glob("prometheus_*.deb")
        _run(["dpkg", "-x", package.name, "unpacked"], staging)
        with contextlib.suppress(OSError):
            # Another worker may have been faster.
            (staging / "unpacked").rename(folder)
        if not folder.exists():
            raise OSError(f"{folder} cannot be written")
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _run(command: Sequence[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
