"""The commands of the documents, run as they stand there, by a shell, as their readers would."""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from connector.devservers.child import Child

ROOT = Path(__file__).parents[1]


def commands(document: str, containing: str) -> str:
    """Return the one block of shell commands of a document that contains a text."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    (block,) = [each for each in found if containing in each]
    return textwrap.dedent(block)


class Shell:
    """Runs commands in a folder, with this environment's programs and these variables; the checkout is importable."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self._folder = folder
        self._started = 0
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}{os.pathsep}/usr/sbin"
        self._environ = {
            "HOME": str(folder),
            "PYTHONUNBUFFERED": "1",
            "PATH": programs,
            "PYTHONPATH": str(ROOT),
            **variables,
        }

    def run(self, script: str) -> str:
        """Return what commands that must succeed print."""
        ended = subprocess.run(
            ["sh", "-ec", script],
            cwd=self._folder,
            env=self._environ,
            capture_output=True,
            encoding="utf-8",
            timeout=90,
            check=False,
        )
        assert ended.returncode == 0, f"{script}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def start(self, script: str) -> Child:
        """Start a command that goes on until it is stopped."""
        self._started += 1
        log = self._folder / f"started-{self._started}.log"
        return Child(["sh", "-ec", f"exec {script}"], log=log, env=self._environ, folder=self._folder)
