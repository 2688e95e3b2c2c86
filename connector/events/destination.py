"""Where events go: a route for each entity type and locale, opened for the first event published there."""

from collections.abc import Callable

from connector.errors import MalformedItem
from connector.events.record import Route
from connector.model.change import EntityKey

OpenedTable = Callable[[str, str], Route]
"""Returns the route of a table's rows, by the table's name and the schema of the rows."""


def _no_table(table: str, _schema: str) -> Route:
    raise AssertionError(f"no tables are published, but {table} was asked for")


class Destinations:
    """The routes that events have taken.

    `opened` returns the route of a key, and raises `MalformedItem` if there can be none; its other errors propagate.
    It is called once for each entity type and locale: a topic's name depends on nothing else in a key. `table` is the
    same for tables: called once for each and its schema.
    """

    def __init__(self, opened: Callable[[EntityKey], Route], table: OpenedTable = _no_table) -> None:
        self._opened = opened
        self._table = table
        self._known: dict[tuple[str, str], Route | MalformedItem] = {}
        self._tables: dict[str, tuple[str, Route]] = {}

    def of(self, key: EntityKey) -> Route | MalformedItem:
        """Return where events of a key go, or why there is no such place.

        MUST be called only for what is published: it may create a topic.
        """
        place = key.entity_type, key.locale
        found = self._known.get(place)
        if found is None:
            try:
                found = self._opened(key)
            except MalformedItem as error:
                found = error
            self._known[place] = found
        return found

    def table(self, table: str, schema: str) -> Route:
        """Return where rows of a table go. MUST be called only for what is published: it may create a topic."""
        known = self._tables.get(table)
        if known is None or known[0] != schema:
            known = self._tables[table] = schema, self._table(table, schema)
        return known[1]
