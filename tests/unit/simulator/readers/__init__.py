"""How each vendor's API is read: one file a vendor, found by its name."""

import importlib
import pkgutil

from tests.unit.simulator.reader import Reader

_NAMES = sorted(module.name for module in pkgutil.iter_modules(__path__))
READERS: dict[str, Reader] = {name: importlib.import_module(f"{__name__}.{name}").READER for name in _NAMES}
