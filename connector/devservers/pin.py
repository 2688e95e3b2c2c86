"""Pins the bundles: resolves the files that make up Kafka and the registry, and writes their digests.

Run it by hand (`uv run --with 'jgo>=3.2,<4' python -m connector.devservers.pin`) after changing a version here and in
`broker.py` or `apicurio.py`; the last line printed is the digest that `apicurio.py` names.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from jgo.maven import MavenContext

from connector.devservers.artifacts import Library, sha256, tree_digest

_KAFKA = "4.3.1"
_SLF4J_BINDING = "2.25.4"  # Kafka's own log4j version; Kafka's POM leaves the binding to its distribution
_APICURIO = "3.3.3"


def _main() -> None:
    maven = MavenContext(repo_cache=Path(tempfile.mkdtemp()), local_repos=[])
    roots, needed = maven.resolver.resolve([maven.create_dependency(f"org.apache.kafka:kafka_2.13:{_KAFKA}")])
    binding = maven.project("org.apache.logging.log4j", "log4j-slf4j-impl").at_version(_SLF4J_BINDING).artifact()
    _write(f"kafka-{_KAFKA}", [*(dependency.artifact for dependency in roots + needed), binding])
    application = maven.project("io.apicurio", "apicurio-registry-app").at_version(_APICURIO).artifact("all", "tar.gz")
    _write(f"apicurio-{_APICURIO}", [application])
    with tempfile.TemporaryDirectory() as cache:
        unpacked = Library(Path(cache), Library.of_user(os.environ).repository).unpack(f"apicurio-{_APICURIO}")
        sys.stdout.write(f"{tree_digest(unpacked)}\n")


def _write(bundle: str, artifacts: list[Any]) -> None:
    lines = sorted((_coordinates(artifact), artifact.resolve()) for artifact in artifacts)
    text = "".join(f"{sha256(path)} {path.stat().st_size:>9} {coordinates}\n" for coordinates, path in lines)
    Path(__file__).with_name(f"{bundle}.sha256").write_text(text, encoding="ascii")


def _coordinates(artifact: Any) -> str:
    parts = (artifact.groupId, artifact.artifactId, artifact.version, artifact.packaging, artifact.classifier)
    return ":".join(filter(None, parts))


if __name__ == "__main__":
    _main()
