"""Keeps the content model that a stream's tables follow as its CMS has it: asks for it, and publishes what changes."""

import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Final

from msgspec.structs import replace

from connector.clock import Clock
from connector.cms.model_source import fetch
from connector.cms.source import Source
from connector.errors import (
    CheckpointRejected,
    ConnectorError,
    ModelOutdated,
    SourceRejected,
    SourceUnavailable,
    Unreachable,
    WalkBroken,
)
from connector.events.codec import encode_key
from connector.model.change import ALL_LOCALES, Change, EntityKey
from connector.model.checkpoint import Position
from connector.model.content_model import ContentModel, ContentType, in_order
from connector.model.model_page import ListedModel, ModelFrame
from connector.model.page import SyncPage
from connector.stream.publisher import Publisher
from connector.stream.spec import Pace
from connector.tables.catalog import Catalog

_NO_DIGEST: Final = bytes(16)


class ModelKeeper:
    """For the stream's own thread. `wait` waits for seconds, `stop` ends it; `failed` is told what did not matter.

    The model is asked for before a snapshot, whose items may be newer than it, when an item shows more than it has,
    before a reconciliation, which would otherwise delete what only the model's lists deliver, after a recovery, and
    every `Pace.model_every`.
    """

    def __init__(  # noqa: PLR0913  the parts of a stream, and how it waits
        self,
        source: Source,
        publisher: Publisher,
        catalog: Catalog,
        *,
        clock: Clock,
        pace: Pace,
        stop: threading.Event,
        wait: Callable[[float], None],
        failed: Callable[[ConnectorError], None],
    ) -> None:
        self._source = source
        self._publisher = publisher
        self._catalog = catalog
        self._clock = clock
        self._pace = pace
        self._stop = stop
        self._wait = wait
        self._failed = failed
        self._outdated: ModelOutdated | None = None
        self._asked_at: float | None = None
        self._due_at = 0.0
        self._listed_in = 0

    def note(self, outdated: ModelOutdated) -> None:
        """Ask for the model next time: an item shows more than it has."""
        self._outdated = outdated

    def ask_soon(self) -> None:
        """Ask for the model next time, unless that was done just now: an operator may have asked for it."""
        if self._asked_at is not None:
            self._due_at = min(self._due_at, self._asked_at + self._pace.model_again)

    def attend(self) -> None:
        """Follow the model as it is now, if that is due.

        Raises what asking for it raises, `SourceUnavailable` also for a model that changes meanwhile, if nothing can be
        published without it; `ModelRefused` whenever the tables cannot follow it; and what publishing raises.
        """
        outdated, position = self._outdated, self._publisher.checkpoint.position
        if outdated and outdated.item:
            self._publisher.follow_model(self._catalog.with_type(outdated.item))
            self._outdated = None
        elif outdated or not self._catalog.ready or self._begins_snapshot():
            self._wait_for_turn()
            self._follow(whole=True)
        elif position.phase == "reconciling" and self._listed_in != position.epoch:
            self._follow()
        elif self._clock.monotonic() >= self._due_at:
            try:
                self._follow()
            except (Unreachable, SourceRejected) as error:
                # What is known goes on being published.
                self._failed(error)
                self._due_at = self._clock.monotonic() + self._pace.longest_pause

    def _begins_snapshot(self) -> bool:
        position = self._publisher.checkpoint.position
        return position.phase == "snapshot" and position.cursor is None and self._listed_in != position.epoch

    def _wait_for_turn(self) -> None:
        if self._asked_at is not None:
            self._wait(self._asked_at + self._pace.model_again - self._clock.monotonic())

    def _follow(self, *, whole: bool = False) -> None:
        """Follow the model as the CMS has it; `whole`: also what only the stream delivers of it."""
        self._asked_at = self._clock.monotonic()
        try:
            listed = fetch(self._source, stop=self._stop)
            model = self._model(listed, whole=whole)
        except (WalkBroken, CheckpointRejected) as error:
            raise SourceUnavailable(f"the content model could not be read: {error}", hint=error.hint) from error
        # First what is gone: once another model is followed, nobody knows that it was there.
        self._publish(self._gone(listed))
        self._publisher.follow_model(model)
        self._publish(listed.changes)
        position = self._publisher.checkpoint.position
        if self._outdated:
            self._catalog.confirm(self._outdated)
        self._outdated, self._listed_in = None, position.epoch
        self._due_at = self._clock.monotonic() + self._pace.model_every

    def _publish(self, changes: Iterable[Change]) -> None:
        self._publisher.publish([SyncPage(tuple(changes), self._publisher.checkpoint.position, caught_up=False)])

    def _model(self, listed: ListedModel, *, whole: bool) -> ContentModel:
        model = listed.over(self._catalog.model)
        if reason := listed.refused.get("content_type"):
            raise SourceRejected(f"the content types cannot be read, which tables need: {reason}")
        if "content_type" in listed.complete:
            return model
        if any(isinstance(part.content, ContentType) for part in listed.parts):
            raise SourceUnavailable("the list of content types is incomplete")
        return replace(model, content_types=self._delivered()) if whole else model

    def _delivered(self) -> tuple[ContentType, ...]:
        """Return the content types that a separate walk delivers: this API lists none."""
        raws, complete = [], False
        with closing(self._source.walk(Position())) as walk:
            for page in walk:
                raws += [change.raw for change in page.changes if change.key.entity_type == "content_type"]
                complete = page.caught_up
        if not complete:
            raise WalkBroken("the stream is stopping")
        parts = self._source.vendor.model.read(ModelFrame("content_type", raws)).parts
        found = {part.content.id: part.content for part in parts if isinstance(part.content, ContentType)}
        return in_order(found.values())

    def _gone(self, listed: ListedModel) -> list[Change]:
        """Return the deletes of what the lists prove to be gone."""
        known, connection = self._catalog.model, self._publisher.checkpoint.stream
        keys = [EntityKey(connection, "content_type", each.id, ALL_LOCALES) for each in known.content_types]
        keys += [EntityKey(connection, "locale", each.code, ALL_LOCALES) for each in known.locales]
        return [_delete(key) for key in listed.gone(keys) if self._is_live(key)]

    def _is_live(self, key: EntityKey) -> bool:
        entry = self._publisher.index.get(encode_key(key))
        return entry is not None and entry.live


def _delete(key: EntityKey) -> Change:
    return Change(key=key, change_type="deleted", digest=_NO_DIGEST)
