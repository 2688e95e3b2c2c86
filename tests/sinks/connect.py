"""Kafka Connect in its standalone form, from Maven Central: one worker, any connectors."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from connector.devservers import java as jvm
from connector.devservers.child import free_ports
from tests import java

CONVERTER = "apicurio-converter-3.0.9"
_BUNDLE = "connect-4.3.1"
_READY = "Kafka Connect started"
_LOGGING = {"showDateTime": "true", "defaultLogLevel": "warn", "log.org.apache.kafka.connect.runtime.Connect": "info"}

Properties = Mapping[str, str]


class Worker:
    """A running worker; a context manager that ends it. `folder` keeps its files, `plugins` are folders of archives."""

    def __init__(
        self, folder: Path, bootstrap: str, connectors: Mapping[str, Properties], plugins: Mapping[str, Path]
    ) -> None:
        jars = java.fetched(_BUNDLE)
        plugin_path = folder / "plugins"
        plugin_path.mkdir()
        for name, archives in plugins.items():
            (plugin_path / name).symlink_to(archives)
        (port,) = free_ports(1)
        worker = {
            "bootstrap.servers": bootstrap,
            "listeners": f"http://127.0.0.1:{port}",
            "plugin.path": str(plugin_path),
            "key.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
            "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
            "offset.storage.file.filename": str(folder / "offsets"),
            "offset.flush.interval.ms": "1000",
            "config.providers": "file",
            "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
            "consumer.metadata.max.age.ms": "1000",
        }
        files = [_written(folder / "worker.properties", worker)]
        files += [_written(folder / f"{name}.properties", {"name": name, **each}) for name, each in connectors.items()]
        arguments = [
            "-Xmx512m",
            *jvm.BRIEF,
            *(f"-Dorg.slf4j.simpleLogger.{key}={each}" for key, each in _LOGGING.items()),
        ]
        arguments += ["-cp", os.pathsep.join(map(str, jars)), "org.apache.kafka.connect.cli.ConnectStandalone", *files]
        self._child = jvm.run(arguments, log=folder / "connect.log", folder=folder)
        if not self._child.said(_READY, 120):
            tail = self._child.tail(60)
            self._child.stop()
            raise AssertionError(f"Kafka Connect did not start; the end of its log:\n{tail}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.stop()

    @property
    def failed(self) -> bool:
        """Whether a task has ended: it is not started again."""
        return any(end in self.log() for end in ("Failed to start task", "Task is being killed"))

    def log(self) -> str:
        """Return the end of its log."""
        return self._child.tail(60)


def _written(path: Path, settings: Properties) -> str:
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), encoding="utf-8")
    return str(path)
