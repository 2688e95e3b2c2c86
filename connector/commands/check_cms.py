"""Sends a connection's CMS the first request of a first run and examines the answer. Publishes and keeps nothing."""

from collections.abc import Iterator
from typing import Final

from connector.cms.vendor import Remark
from connector.errors import PageTooLarge, SourceRejected
from connector.events.filters import wanted
from connector.events.policy import Policy
from connector.model.checkpoint import Position
from connector.model.page import SyncPage
from connector.wiring import ConfiguredStream

_RETRY_AFTER: Final = 2.0  # a new key takes a few seconds to work, and firewalls refuse now and then
_OURS: Final = ("content_types", "entity_types", "locales")


def probe(stream: ConfiguredStream) -> str:
    """Return who accepts the credentials; a refusal is tried once more. Raises what `Source.probe` raises."""
    source = stream.source()
    try:
        try:
            source.probe()
        except SourceRejected:
            stream.clock.wait(_RETRY_AFTER)
            for secret in stream.connection.secrets():
                secret.refresh()
            source.probe()
    finally:
        source.close()
    return f"accepted by {stream.vendor.base_url}"


def concerns(stream: ConfiguredStream) -> list[str]:
    """Return which of the settings that only an answer of the CMS can confirm are set."""
    connection = stream.connection
    chosen = [name for name in ("api_filter", "page_size") if getattr(connection.settings, name)]
    return chosen + [name for name in _OURS if getattr(connection, name)]


def first_page(stream: ConfiguredStream) -> tuple[str, list[Remark]]:
    """Send the first request of a first run; return a sentence on the answer, and remarks on what is odd about it.

    Raises what `Source.fetch` raises.
    """
    source = stream.source()
    try:
        page = source.fetch(Position())
    except PageTooLarge as error:
        return "the API answers an initial sync", [Remark("page_size", str(error), error.hint)]
    finally:
        source.close()
    count = len(page.changes) + len(page.dead_letters)
    return f"the API answers an initial sync: {count} items on the first page", list(_oddities(stream, page))


def _oddities(stream: ConfiguredStream, page: SyncPage) -> Iterator[Remark]:
    names = concerns(stream)
    if page.caught_up and not (page.changes or page.dead_letters) and "api_filter" in names:
        yield Remark("api_filter", "the API delivers nothing for it", "correct it if there should be something")
    live = [change for change in page.changes if change.change_type == "published"]
    for name in (name for name in names if name in _OURS):
        alone = Policy(**{name: getattr(stream.policy, name)})
        # Assets have no type: a filter on types lets them pass.
        judged = [change for change in live if name != "content_types" or change.key.entity_type != "asset"]
        if judged and not any(wanted(alone, change.key, change.content_type) for change in judged):
            yield Remark(
                name,
                f"matches none of the first {len(judged)} items that the API delivers",
                f"correct {name} if some should be published: names are matched as the API spells them",
            )
    if page.dead_letters:
        unread = f"{len(page.dead_letters)} items of the first page cannot be read"
        what = "would stop the stream" if stream.connection.malformed == "stop" else "would become dead letters"
        yield Remark(
            "malformed", f"{unread} and {what}", "look at them in the CMS; see the vendor's page in docs/vendors"
        )
