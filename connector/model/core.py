"""The compiled core, where it is installed: the crate in `core/`. Without it Python does the same, more slowly.

What is not plain the core leaves to Python, which decides what is right: a property holds that both give the same bytes
for everything else.
"""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final, Protocol

Step = tuple[bytes | None, str, str, bool]
"""Of a program that writes Avro: constant bytes; or None, a slot, its Avro type and whether it may be null."""

_INTERFACE: Final = 5


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


class RowWriter(Protocol):
    """Writes the rows of one typed table."""

    def write(
        self,
        fields: bytes,
        flat: str | None,
        delivered: Sequence[str] | None,
        otherwise: str,
        around: tuple[bytes, bytes],
        /,
    ) -> list[tuple[str, bytes]] | None:
        """Return the locale and the value of each row of an item's fields, None for an item that Python has to read.

        `flat` is the locale that all fields are of; else each field holds a map of locales. `delivered` are the locales
        that have a row; if None, those that any field has, or else `otherwise`. A value ends with `around` its locale.
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
