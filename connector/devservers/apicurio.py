"""Apicurio Registry on loopback, with the Confluent API and the rule BACKWARD, from Python packages alone."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from connector.devservers import java
from connector.devservers.artifacts import Library
from connector.devservers.child import free_ports
from connector.errors import RegistryUnavailable

_BUNDLE = "apicurio-3.3.3"
_TREE = "480209b1704de87e599a1594530d0f584ccefdfbd76d1ef9fdcdd7b3fd0c4694"
_READY = "Listening on: http"


class Apicurio:
    """A running registry; a context manager that closes it at the end. It is gone with this process at the latest.

    Schemas and their ids are kept in `folder` for the next registry; without it they are gone at the end. Raises
    `Unreachable` if the archive cannot be fetched, and `RegistryUnavailable`, with the end of its log, if it is not
    ready within `deadline` seconds.
    """

    def __init__(self, folder: Path | None = None, *, deadline: float = 60) -> None:
        program = Library.of_user(os.environ).unpack(_BUNDLE, _TREE)
        port, management = free_ports(2)
        self.url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        self._scratch = Path(tempfile.mkdtemp(prefix="contentwire-registry-"))
        settings = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": str(port),
            "quarkus.management.host": "127.0.0.1",
            "quarkus.management.port": str(management),
            "apicurio.rules.global.compatibility": "BACKWARD",
            "java.io.tmpdir": str(self._scratch),
        }
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            settings["apicurio.datasource.url"] = f"jdbc:h2:file:{folder.absolute() / 'registry'}"
        arguments = [f"-D{name}={value}" for name, value in settings.items()]
        arguments += ["-Xmx384m", *java.BRIEF, "-jar", "quarkus-run.jar"]
        log = self._scratch / "server.log"
        self._child = java.run(arguments, log=log, folder=program, scratch=self._scratch)
        if not self._child.said(_READY, deadline):
            tail = self._child.tail()
            self.close()
            raise RegistryUnavailable(f"the registry did not start; the end of its log:\n{tail}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Shut the registry down cleanly; may be called again."""
        self._child.stop()
        shutil.rmtree(self._scratch, ignore_errors=True)


@contextlib.contextmanager
def find_or_start(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the URL in `SCHEMA_REGISTRY`, else that of a registry that ends with the context."""
    if url := environ.get("SCHEMA_REGISTRY"):
        yield url
        return
    with Apicurio() as registry:
        yield registry.url
