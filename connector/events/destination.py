"""Where events go: a route for each entity type and locale, opened for the first event published there."""

from collections.abc import Callable

from connector.errors import MalformedItem
from connector.events.record import Route
from connector.model.change import EntityKey


class Destinations:
    """The routes that events have taken.

    `opened` returns the route of a key, and raises `MalformedItem` if there can be none; its other errors propagate.
    It is called once for each entity type and locale: a topic's name depends on nothing else in a key.
    """

    def __init__(self, opened: Callable[[EntityKey], Route]) -> None:
        self._opened = opened
        self._known: dict[tuple[str, str], Route | MalformedItem] = {}

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
