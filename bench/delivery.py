"""The delivery path by itself: pages through vendor, envelope and codec into a store that discards them.

As a script it does the same work in every run, so that its instructions can be counted. `WAY` is `python` or `core`:

    python bench/delivery.py FOLDER WAY PAGES
"""

import gc
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx

from connector import vendors
from connector.clock import SYSTEM
from connector.cms.compiled import reading
from connector.cms.content_model import described
from connector.cms.vendor import Vendor
from connector.events import compiled
from connector.events.assembler import Assembler
from connector.events.envelope import Provenance
from connector.events.policy import Policy
from connector.events.record import Batch
from connector.model.checkpoint import Checkpoint
from connector.model.content_model import ContentModel
from connector.model.core import CORE
from connector.stream.publisher import Publisher
from connector.tables.catalog import Catalog
from connector.tables.columns import Options
from connector.testing import MemoryStore

NAME = "bench"
CONNECTION = "connection.json"
PAGES = "*.page"


class Discard(MemoryStore):
    """A store that discards what is committed."""

    def apply(self, batch: Batch) -> None:
        """Discard the batch."""


def delivery(
    vendor: Vendor, *, core: bool, model: ContentModel | None = None
) -> Callable[[list[httpx.Response]], None]:
    """Return what delivers the pages of a snapshot from its first one, with the compiled core or without.

    Given a content model, it writes the rows of its tables, too.
    """
    provenance = Provenance("0", vendor.name, NAME, vendor.db, vendor.schema)
    policy = Policy(content_members=vendor.content_members)
    assembler = Assembler(
        provenance=provenance,
        policy=policy,
        now_ms=lambda: time.time_ns() // 1_000_000,
        locate=vendor.locate,
        writer=compiled.writer(provenance, policy) if core else None,
        tables=_tables(vendor, model) if model else None,
    )
    read = reading(NAME, vendor, compiled.key(NAME)) if core else vendor.read
    publisher = Publisher(Discard(), assembler, initial=Checkpoint(stream=NAME), clock=SYSTEM)
    start = publisher.recover().position

    def deliver(responses: list[httpx.Response]) -> None:
        position = start
        for response in responses:
            page = read(vendor.frame(response, position))
            publisher.publish([page])
            position = page.position

    return deliver


def _tables(vendor: Vendor, model: ContentModel) -> Catalog:
    found = Catalog(NAME, Options(), partial(described, vendor.model), localized=vendor.localized)
    found.adopt(found.plan(model))
    return found


def connected(table: dict[str, str]) -> Vendor:
    """Return the vendor of a connection, given its table of the configuration."""
    found = vendors.find(table["vendor"])
    settings = {name: value for name, value in table.items() if name != "vendor"}
    # From JSON, because only there may a secret be plain text.
    return found(NAME, found.settings_type.model_validate_json(json.dumps(settings)))


def _main() -> None:
    folder, way, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    core = way == "core"
    if core and CORE is None:
        sys.exit("the compiled core is not built here")
    vendor = connected(json.loads((folder / CONNECTION).read_text(encoding="utf-8")))
    responses = [httpx.Response(200, content=file.read_bytes()) for file in sorted(folder.glob(PAGES))]
    deliver = delivery(vendor, core=core)
    # When it would look for garbage depends on all that was loaded before.
    gc.disable()
    deliver(responses[:count])


if __name__ == "__main__":
    _main()
