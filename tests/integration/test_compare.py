"""The comparison of two revisions by their instructions, as far as it goes without a second checkout."""

import os
import subprocess
import sys
from pathlib import Path

COMPARE = Path(__file__).parents[2] / "bench" / "compare.py"


def test_a_missing_valgrind_is_named(tmp_path: Path) -> None:
    """Who has no valgrind is told which package to install, before anything is built."""
    environment = {**os.environ, "PATH": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, str(COMPARE), "HEAD"], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0
    assert "Debian: apt-get install valgrind" in ended.stderr
