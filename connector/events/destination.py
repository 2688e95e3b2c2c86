"""Where the events of a page may go: what has to be opened before its items are judged. Pure."""

from collections.abc import Container, Iterator, Mapping

from connector.errors import MalformedItem
from connector.events import codec, envelope
from connector.events.index import Index
from connector.events.policy import Policy, wanted
from connector.events.record import Route
from connector.model.change import ALL_LOCALES, Change, EntityKey
from connector.model.page import SyncPage

Place = tuple[str, str]
"""Entity type and locale: all of a key that a topic's name may depend on."""

Routes = Mapping[Place, Route | MalformedItem]
"""The way to each place, or why there is none."""


def place(key: EntityKey) -> Place:
    """Return where a key belongs."""
    return key.entity_type, key.locale


def unopened(page: SyncPage, index: Index, policy: Policy, opened: Container[Place]) -> dict[Place, EntityKey]:
    """Return the places that events of a page may go to and that are not `opened` yet, with a key of each.

    A place that nothing will go to for certain is none of them: no topic may be created for what is left out.
    """
    found: dict[Place, EntityKey] = {}
    for change in page.changes:
        if place(change.key) not in opened and _publishable(change, index, policy):
            found.setdefault(place(change.key), change.key)
        for key in _others(change, index):
            if place(key) not in opened:
                found.setdefault(place(key), key)
    return found


def _publishable(change: Change, index: Index, policy: Policy) -> bool:
    if change.scope == "entity" and index.knows(change.key):
        return False
    known = index.get(codec.encode_key(change.key))
    if known and known.live:
        return True
    removal = change.change_type != "published"
    if removal and policy.unseen_deletes == "suppress":
        return False
    return wanted(policy, change.key, envelope.content_type(change, known))


def _others(change: Change, index: Index) -> Iterator[EntityKey]:
    """Yield the live keys beside its own that a change may remove."""
    if change.scope == "content_type":
        for body, entry in index.entries():
            if entry.live and entry.content_type == change.key.id:
                yield codec.decode_key(body)
    elif change.scope == "entity":
        yield from index.live_locales(change.key)
    elif change.key.locale != ALL_LOCALES:
        # An item that names a locale takes the place of one that once came without.
        whole = EntityKey(change.key.connection, change.key.entity_type, change.key.id, ALL_LOCALES)
        known = index.get(codec.encode_key(whole))
        if known and known.live:
            yield whole
