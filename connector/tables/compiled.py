"""Rows that the compiled core writes: of items whose fields are plainly what the content model says."""

from collections.abc import Sequence

from connector.model import core
from connector.tables.places import Source


def writer(sources: Sequence[Source], nulls: Sequence[bytes]) -> core.RowWriter | None:
    """Return what writes the rows of a table, given its fields and the slots that hold nothing; None without the core.

    None as well for fields of one name, or of one that UTF-8 cannot hold.
    """
    if core.CORE is None or len({source.member for source in sources}) < len(sources):
        return None
    described = [
        (source.member, source.places[0].slot.kind, [(place.slot.at, place.locales) for place in source.places])
        for source in sources
    ]
    try:
        made: core.RowWriter = core.CORE.Rows(described, nulls)
    except UnicodeEncodeError:
        return None
    return made
