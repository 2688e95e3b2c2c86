"""The compiled core, where it is installed: the crate in `core/`. Without it Python does the same, more slowly.

What is not plain the core leaves to Python, which decides what is right: a property holds that both give the same bytes
for everything else.
"""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final, Protocol

Step = tuple[bytes | None, str, str, bool]
"""Of a program that writes Avro: constant bytes; or None, a slot, its Avro type and whether it may be null."""

_INTERFACE: Final = 4


class Item(Protocol):
    """A published state as the core has read it: what its vendor's `Change` says, and the key it is known by."""

    raw: bytes
    body: bytes
    whole_body: bytes | None
    entity_type: str
    id: str
    locale: str
    content_type: str | None

    def members(self) -> dict[str, Any]:
        """Return the other members of its `Change`, each moment as a text and microseconds."""
        ...


class Reader(Protocol):
    """Reads the items of one connection."""

    def read(self, raws: list[bytes], /) -> list[Item | None]:
        """Return what each raw item says, None for those that the vendor has to read."""
        ...


class Route(Protocol):
    """Where records go, and how their keys and values begin."""


class Writer(Protocol):
    """Writes the records of events that publish items of which nothing was known before."""

    def publish(
        self,
        page: tuple[Sequence[Any], int, int],
        index: tuple[list[Mapping[bytes, bytes | None]], dict[bytes, bytes | None]],
        routes: dict[tuple[str, str], Route],
        place: tuple[int, int, int],
        longest: int,
        /,
    ) -> tuple[list[Any], int]:
        """Publish a page's items, from a place on and at most so many, and stage their index records.

        It stops at the first that is not an item, that the index (what is committed or sent, and what is staged) knows,
        has none of the `routes` (by entity type and locale), or whose key and value have more than `longest` bytes.
        `place` is the sequence so far, our time in milliseconds and the epoch. Return the records, and how many bytes
        their keys and values are.
        """
        ...


class Deliveries(Protocol):
    """A delivery callback that counts: `failures` are errors, or None for a delivery without an offset."""

    failures: list[Any]
    offsets: tuple[int, int] | None

    def __call__(self, error: Any, message: Any, /) -> None:
        """Take note of one report."""
        ...


def _installed() -> ModuleType | None:
    try:
        import contentwire_core  # noqa: PLC0415  it may be missing, or of another release
    except ImportError:
        return None
    return contentwire_core if contentwire_core.INTERFACE == _INTERFACE else None


CORE: Final = _installed()
