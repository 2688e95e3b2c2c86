"""What every command starts from: the options before it, and the configuration they name."""

import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from connector import logs
from connector.config.load import load
from connector.config.settings import Config
from connector.errors import ConfigError
from connector.logs.mask import Mask
from connector.logs.sink import Sink
from connector.wiring import ConfiguredStream


class Session:
    """The options before the command."""

    def __init__(self, path: Path, *, debug: bool, environ: Mapping[str, str]) -> None:
        self.path = path
        self.environ = environ
        self.debug = debug
        self.mask = Mask()
        self.sink: Sink | None = None

    @property
    def lines_lost(self) -> int:
        """How many log lines could not be written."""
        return self.sink.lost if self.sink else 0

    def log(self, *, json: bool | None = None, level: str = "info") -> Sink:
        """Send log lines to stderr from now on, as `logs.configure` says."""
        self.sink = logs.configure(sys.stderr, json=json, level=level, secrets=self.mask)
        return self.sink

    def config(self, *, cms: Collection[str] | None = None, registry: bool = True) -> Config:
        """Load the configuration; raises `ConfigError`. `load` says which secrets it requires."""
        loaded = load(self.path, self.environ, cms=cms, registry=registry)
        self.mask.learn(loaded.secrets())
        return loaded

    def stream(self, name: str, *, cms: bool = True, registry: bool = True) -> ConfiguredStream:
        """Load the configuration and return the stream of a connection; `cms` says whether its CMS will be contacted.

        Raises `ConfigError`.
        """
        loaded = self.config(cms=(name,) if cms else (), registry=registry)
        if name not in loaded.connections:
            raise ConfigError(
                f"{self.path}: there is no connection {name!r}",
                hint=f"known connections: {', '.join(loaded.connections)}",
            )
        return ConfiguredStream(loaded, name)
