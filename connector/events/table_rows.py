"""What a published change means to a typed table: the protocol by which the assembler asks for it. Values only."""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from connector.events.envelope import Event
from connector.model.change import EntityKey

WITHHELD: Final = "table "
"""So begins the reason of a dead letter whose item has its event, but not all of its rows."""


def withheld(table: str, misfits: Sequence[str]) -> str:
    """Return the reason of such a dead letter."""
    return f"{WITHHELD}{table}: {'; '.join(misfits)}"


class TableRows(msgspec.Struct, frozen=True):
    """What an event writes into the table called `table`, whose rows are Avro of `schema`.

    - `rows`: a key, and the bare Avro body of its value, None to delete the row.
    - `live`: the locales that have a row once these are written.
    - `misfits`: why rows that should be there are not: names of columns, never content.
    - `inexact`: how many numbers stand in a column of text, because a double would be another number.
    """

    table: str
    schema: str
    rows: tuple[tuple[EntityKey, bytes | None], ...]
    live: frozenset[str]
    misfits: tuple[str, ...] = ()
    inexact: int = 0


class Tables(Protocol):
    """Makes the rows of a connection's tables."""

    def rows(self, event: Event, live: frozenset[str]) -> TableRows | None:
        """Return what an event writes, None if its entity has no table; `live` are the locales that have a row.

        Raises `ModelOutdated` if another content model has to be known first.
        """
        ...
