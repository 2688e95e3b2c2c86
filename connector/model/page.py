"""One sync response, before and after its items are parsed. Immutable. Pure."""

import msgspec

from connector.model.change import Change, DeadLetter
from connector.model.checkpoint import Position
from connector.model.core import Item


class Frame(msgspec.Struct, frozen=True):
    """One sync response, parsed except for its items: their raw bytes in response order, and the position after it.

    It is all it takes to request the next page. `caught_up`: the API has nothing more for now.
    """

    raws: list[bytes]
    position: Position
    caught_up: bool


class SyncPage(msgspec.Struct, frozen=True):
    """One sync response, parsed: its changes and dead letters in response order, and the position after it.

    An empty page still advances the position. `caught_up`: the API has nothing more for now.
    """

    changes: tuple[Change, ...]
    position: Position
    caught_up: bool
    dead_letters: tuple[DeadLetter, ...] = ()


class CompiledPage(msgspec.Struct, frozen=True):
    """As `SyncPage`, of a snapshot, read by the compiled core: published states as `Item`, all else as `Change`."""

    changes: tuple[Change | Item, ...]
    position: Position
    caught_up: bool
    dead_letters: tuple[DeadLetter, ...] = ()
