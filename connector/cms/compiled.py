"""Pages read by the compiled core, as far as a vendor's items are plain; all others are read by the vendor itself."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import asdict, replace

from connector.cms.shape import Shape
from connector.cms.vendor import Vendor
from connector.model.core import CORE, Reader, Step
from connector.model.page import CompiledPage, Frame, SyncPage

if TYPE_CHECKING:
    from connector.model.change import Change, DeadLetter
    from connector.model.core import Item

ReadPage = Callable[[Frame], SyncPage | CompiledPage]


def reading(connection: str, vendor: Vendor, key: Sequence[Step]) -> ReadPage:
    """Return how frames of a snapshot are read; never raises on any of them. `key` is the program that writes keys."""
    if CORE is None or vendor.shape is None:
        return vendor.read
    return CompiledRead(vendor, CORE.Reader(connection, _described(vendor, vendor.shape), list(key)))


class CompiledRead:
    """Reads frames of a vendor."""

    def __init__(self, vendor: Vendor, reader: Reader) -> None:
        self._vendor = vendor
        self._reader = reader

    def __call__(self, frame: Frame) -> CompiledPage:
        """Return the page of a frame, its changes and dead letters in the order of the response."""
        changes: list[Change | Item] = []
        dead_letters: list[DeadLetter] = []
        for raw, item in zip(frame.raws, self._reader.read(frame.raws), strict=True):
            if item is not None:
                changes.append(item)
                continue
            page = self._vendor.read(replace(frame, raws=[raw]))
            changes += page.changes
            dead_letters += page.dead_letters
        return CompiledPage(tuple(changes), frame.position, frame.caught_up, tuple(dead_letters))


def _described(vendor: Vendor, shape: Shape) -> dict[str, object]:
    """Return a vendor's shape as the core reads it."""
    published = [(name, kind.entity_type, kind.typed, kind.linked) for name, kind in shape.published.items()]
    targets = list(shape.targets.items())
    return {**asdict(shape), "published": published, "targets": targets, "content": vendor.content_members}
