"""Servers that Debian packages: where their programs are, and how they are run by somebody who is not root."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

_NOBODY = "nobody"


def program(name: str, package: str, *folders: Path) -> str:
    """Return where a program is; without it the test is skipped with the reason, or fails if `CI` is set."""
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"], "/usr/sbin"])
    if found := shutil.which(name, path=path):
        return found
    return lacks(f"no {name}: install Debian's package {package}, as .ci/servers does")


def lacks(reason: str) -> str:
    """Skip the test with the reason, or fail it if `CI` is set."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def varnish() -> None:
    """Require Varnish with its module for tags."""
    program("varnishd", "varnish")
    if not any(Path("/usr/lib").glob("**/vmods/libvmod_xkey.so")):
        lacks("no xkey: install Debian's package varnish-modules, as .ci/servers does")


def unprivileged(command: Sequence[str]) -> list[str]:
    """Return a command that runs this one as somebody who is not root."""
    if os.geteuid():
        return list(command)
    return ["setpriv", f"--reuid={_NOBODY}", "--regid=nogroup", "--clear-groups", *command]


def give(folder: Path) -> None:
    """Let such a command own a folder."""
    if not os.geteuid():
        shutil.chown(folder, _NOBODY)
