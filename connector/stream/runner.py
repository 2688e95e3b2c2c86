"""One stream: pages in, transactions out. The whole flow is `pass_once`; nothing here retries."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain

import msgspec

from connector.clock import Clock
from connector.cms.source import Source, Unopened
from connector.cms.spool import Spool
from connector.model.checkpoint import Position
from connector.model.page import CompiledPage, SyncPage
from connector.stream.publisher import Publisher
from connector.stream.reconcile import reconcile


class Bounds(msgspec.Struct, frozen=True):
    """The most that one transaction holds: items, raw bytes, seconds of collecting; and how much may vanish."""

    items: int = 10_000
    size: int = 64 * 1024 * 1024
    interval: float = 1.0
    max_delete_share: float = 0.2


class Runner:
    """Follows one stream. Errors go to the caller, who decides by their remedy."""

    def __init__(self, source: Source | Unopened, publisher: Publisher, bounds: Bounds, clock: Clock) -> None:
        self._source = source
        self._publisher = publisher
        self._bounds = bounds
        self._clock = clock

    def pass_once(self) -> bool:
        """Do the next part of the stream's work: one walk, or one reconciliation. Return whether the stream is current.

        A snapshot is published as its pages arrive; a delta is collected, sorted oldest first, then published.
        """
        position = self._publisher.checkpoint.position
        if position.phase == "reconciling":
            bounds = self._bounds
            reconcile(self._publisher, max_delete_share=bounds.max_delete_share, page_items=bounds.items)
            # The walk before it may be long past, in an earlier process: what has happened since is yet to be read.
            return False
        if position.phase == "catching_up" and not self._source.vendor.follows:
            # There is no delta to catch up with: what moved between pages during the walk is found by walking again.
            self._publisher.commit_checkpoint(self._publisher.checkpoint.at(position.unfollowed()))
            return False
        # Closed whatever happens: an error keeps its stack frames, and a walk in them would go on reading ahead.
        if position.phase == "snapshot":
            with closing(self._source.snapshot(position)) as pages, self._publisher.settled():
                for page in pages:
                    # Encoded page by page while the next one arrives, and while the transaction before is sent.
                    self._publisher.publish_ahead(self._fill(chain([page], pages)))
        else:
            with closing(self._source.walk(position)) as walk:
                self._follow(walk, position)
        return position.phase == "streaming"

    def _follow(self, walk: Iterable[SyncPage], start: Position) -> None:
        bounds = self._bounds
        with Spool(newest_first=self._source.vendor.newest_first, memory_bytes=bounds.size) as spool:
            for page in walk:
                spool.add(page)
                if page.caught_up:
                    for sorted_page in spool.pages(start, page.position, items=bounds.items, size=bounds.size):
                        self._publisher.publish([sorted_page])

    def _fill(self, walk: Iterable[SyncPage | CompiledPage]) -> Iterator[SyncPage | CompiledPage]:
        """Yield whole pages until they fill a transaction."""
        bounds, items, size = self._bounds, 0, 0
        deadline = self._clock.monotonic() + bounds.interval
        for page in walk:
            yield page
            items += len(page.changes)
            size += sum(len(change.raw) for change in page.changes)
            if items >= bounds.items or size >= bounds.size or self._clock.monotonic() >= deadline:
                return
