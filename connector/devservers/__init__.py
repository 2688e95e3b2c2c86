"""A real Kafka and a real schema registry on any machine, from Python packages alone: for tests, bench and demo.

A leaf: nothing in the delivery path imports it.
"""

import importlib
from typing import Any

from connector.errors import ConnectorError


def extra(module: str) -> Any:
    """Return a module of the `demo` extra, untyped; raises `ConnectorError` if the extra is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConnectorError(
            f"this needs the package {error.name}, which is not installed", hint="pip install 'contentwire[demo]'"
        ) from error
