"""The recipes of the document: its settings and statements, with the addresses of the tests' servers in them."""

import re
import textwrap
from collections.abc import Mapping

from tests.documents import ROOT

DOCUMENT = "docs/consumers/sinks.md"


def block(heading: str, containing: str, addresses: Mapping[str, str]) -> str:
    """Return the one block below a heading that contains a text; each address in it is replaced by ours."""
    text = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    (section,) = [each for each in re.split(r"^#{2,3} ", text, flags=re.MULTILINE) if each.startswith(heading)]
    found = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", section, re.MULTILINE)
    (one,) = [textwrap.dedent(each) for each in found if containing in each]
    for theirs, ours in addresses.items():
        one = one.replace(theirs, ours)
    return one


def properties(heading: str, containing: str, addresses: Mapping[str, str]) -> dict[str, str]:
    """Return such a block of settings."""
    lines = block(heading, containing, addresses).splitlines()
    return dict(line.split("=", 1) for line in lines if line)
