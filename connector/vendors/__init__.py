"""The vendors: one module each, found by name, that provides what `connector.cms.vendor` specifies.

Parts of a vendor that have a module of their own are called `<vendor>_<part>`.
"""

import importlib
import pkgutil

from connector.cms.vendor import Vendor
from connector.errors import ConfigError


def names() -> tuple[str, ...]:
    """Return the names of all vendors, sorted: each is a module of this package, without an underscore in its name."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if "_" not in module.name))


def find(name: str) -> type[Vendor]:
    """Return the vendor class called `name`; raises `ConfigError` with the known names."""
    if name not in names():
        raise ConfigError(f"unknown vendor {name!r}", hint=f"known vendors: {', '.join(names())}")
    vendor: type[Vendor] = importlib.import_module(f"{__name__}.{name}").VENDOR
    return vendor
