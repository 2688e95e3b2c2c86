"""Connections written as a configuration's tables, with their secrets left to the environment. Pure."""

import json
from collections.abc import Mapping
from typing import Final

from connector import vendors

_PREFIX: Final = "SIMULATED"


def tables(connections: Mapping[str, Mapping[str, str]]) -> tuple[str, dict[str, str]]:
    """Return configuration tables for connections by name, and the environment variables their secrets are read from.

    Each connection is what `Simulator.connection` returns.
    """
    environ: dict[str, str] = {}
    lines = []
    for name, settings in connections.items():
        fields = vendors.find(settings["vendor"]).settings_type.model_fields
        lines.append(f"[connections.{name}]")
        for key, value in settings.items():
            if key in fields and "SecretStr" in str(fields[key].annotation):
                variable = f"{_PREFIX}_{name}_{key}".upper().replace("-", "_")
                environ[variable] = value
                lines.append(f'{key} = {{ env = "{variable}" }}')
            else:
                lines.append(f"{key} = {json.dumps(value)}")
        lines.append("")
    return "\n".join(lines), environ
