"""Serves the simulator until it is ended, and prints tables ready for a configuration."""

import threading
from collections.abc import Callable

from connector.config.tables import tables
from connector.errors import ConfigError
from connector.simulator import Simulator


def serve(host: str, port: int, *, seed: int, entries: int, started: Callable[[Simulator], object]) -> None:
    """Serve every vendor until an exception (a signal's) ends it; call `started` first.

    Raises `ConfigError` if the port cannot be opened.
    """
    simulator = Simulator(seed, entries, wall_clock=True)
    try:
        serving = simulator.serving(host, port)
        serving.__enter__()
    except OSError as error:
        raise ConfigError(
            f"cannot open {host}:{port}: {error.strerror}",
            hint="choose another with --port, or stop what listens there",
        ) from error
    try:
        started(simulator)
        threading.Event().wait()
    finally:
        serving.__exit__(None, None, None)


def instructions(simulator: Simulator) -> str:
    """Return where the simulator is, and what a configuration and a shell need to use it."""
    text, environ = tables({vendor: simulator.connection(vendor) for vendor in simulator.vendors})
    exports = "\n".join(f"# export {name}={value}" for name, value in environ.items())
    return f"# simulated CMSs at {simulator.url()} until Ctrl-C; the secrets to export:\n{exports}\n\n{text}"
