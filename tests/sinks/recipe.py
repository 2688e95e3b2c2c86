"""The recipes of the document: its settings and statements, with the addresses of the tests' servers in them."""

import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from connector.simulator import Live
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


def unequal(rows: Iterable[Mapping[str, Any]], truth: Iterable[Live]) -> list[str]:
    """Return the entries and assets that rows of the changes topic do not hold as the CMS delivers them."""
    kinds = ("entry", "asset")
    held = {
        row["id"]: (row["content_type"], json.loads(row["fields"] or "null"))
        for row in rows
        if row["entity_type"] in kinds
    }
    wanted = {
        each.id: (each.content_type, json.loads(each.fields or b"{}")) for each in truth if each.entity_type in kinds
    }
    return [each for each in sorted(held.keys() | wanted.keys()) if held.get(each) != wanted.get(each)]
