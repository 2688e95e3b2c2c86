"""What editors read instead of a field's name. Pure."""

import re

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_+")


def label(name: str) -> str:
    """Return `Hero image` for `heroImage`."""
    return _HUMP.sub(" ", name).strip().capitalize()
