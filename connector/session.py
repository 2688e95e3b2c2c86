"""What every command starts from: the options before it, and the configuration they lead to."""

from collections.abc import Callable, Mapping
from pathlib import Path

from connector import config, logs
from connector.config import Config, Connection
from connector.errors import ConfigError


class Session:
    """What the options before the command say."""

    def __init__(self, path: Path, *, debug: bool, environ: Mapping[str, str]) -> None:
        self.path = path
        self.environ = environ
        self.debug = debug
        self.mask: Callable[[str], str] = str

    def config(self) -> Config:
        """Load the configuration; raises `ConfigError`."""
        loaded = config.load(self.path, self.environ)
        self.mask = logs.redaction(loaded.secrets())
        return loaded

    def connection(self, name: str) -> tuple[Config, Connection]:
        """Load the configuration and find a connection in it; raises `ConfigError`."""
        loaded = self.config()
        if name not in loaded.connections:
            raise ConfigError(
                f"{self.path}: there is no connection {name!r}", hint=f"there are: {', '.join(loaded.connections)}"
            )
        return loaded, loaded.connections[name]
