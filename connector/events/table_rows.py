"""What a published change means to a typed table: the protocol by which the assembler asks for it. Values only."""

from typing import Protocol

import msgspec

from connector.events.envelope import Event
from connector.model.change import EntityKey


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
