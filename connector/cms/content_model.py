"""How a vendor's content model is asked for and read: the `ModelReader` protocol, and what its readers share. Pure."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import httpx

from connector.cms import item
from connector.errors import MalformedItem, SourceUnavailable, WalkBroken
from connector.model import rawjson
from connector.model.change import ALL_LOCALES, Change, DeadLetter, EntityKey
from connector.model.content_model import ContentType, Field, FieldKind
from connector.model.model_page import ListedModel, ModelFrame, ModelKind, ModelPage, ModelPart, ModelPosition

_PASSING = {408, 409, 425, 429}

UNKNOWN_TYPE = "unknown"
"""The `Field.type` of a field whose type is not a usable text."""


class ModelReader(Protocol):
    """What asks for one connection's content types and locales. Pure and stateless, as its vendor is.

    A model is one or more lists, one after the other: which, and how they continue, is the vendor's own business.
    """

    def request(self, after: ModelPosition | None) -> httpx.Request | None:
        """Return the request for what comes after a position, None for the start of the model.

        None if the API lists no part of its model. A reader that gives a position MUST have a request for it.
        """
        ...

    def frame(self, response: httpx.Response, after: ModelPosition | None) -> ModelFrame:
        """Return what a fully read response to the request for `after` says, its items unparsed.

        Raises `SourceUnavailable` (with `retry_after` if given) or `SourceRejected`; never what asks for a snapshot. A
        list that the API may withhold from valid credentials MUST give a frame that says so, and the rest of the model.
        """
        ...

    def read(self, frame: ModelFrame) -> ModelPage:
        """Return the page of a frame; never raises, whoever made the frame.

        An item that cannot be understood MUST be one of the page's `unread`, never an exception. Frames can be made of
        raw items that were kept, and of the content types that a stream delivers.
        """
        ...


class Stamp(NamedTuple):
    """An item's revision and clocks as the API gives them; their values may be anything."""

    revision: Any = None
    created_at: Any = None
    updated_at: Any = None


def listed(body: bytes, name: str, *names: str) -> tuple[list[bytes], list[Any]]:
    """Return the elements of a body's member `name` as bytes, and the values of `names`, None where missing.

    Raises `SourceUnavailable` for a body that is no such list.
    """
    try:
        members, raws = rawjson.page(body, name)
        values = [rawjson.value(members.get(each, b"null")) for each in names]
    except ValueError as error:
        raise SourceUnavailable(f"the response is not a list of {name}: {error}") from error
    if raws is None:
        raise SourceUnavailable(f"the response is not a list of {name}: it has none")
    return raws, values


def passing(response: httpx.Response) -> bool:
    """Return whether an answer that is no list comes of load or trouble, and not of what these credentials may read."""
    return response.status_code in _PASSING or response.is_server_error


def read(frame: ModelFrame, parse: Callable[[bytes], ModelPart]) -> ModelPage:
    """Return the page with each raw item as a part, or as a dead letter if `parse` refuses it.

    `parse` raises `MalformedItem`, or `ValueError` if not even an id can be read; neither message has content.
    """
    parts: list[ModelPart] = []
    unread: list[DeadLetter] = []
    for raw in frame.raws:
        try:
            parts.append(parse(raw))
        except MalformedItem as error:
            unread.append(DeadLetter(raw, str(error), item_type=frame.kind, item_id=error.item_id))
        except ValueError as error:
            unread.append(DeadLetter(raw, str(error), item_type=frame.kind))
    return ModelPage(tuple(parts), tuple(unread))


def fields(of: str, raw: bytes | None, describe: Callable[[dict[str, Any]], Field | None]) -> tuple[Field, ...]:
    """Return the fields that an array of them describes, for the content type `of`; None stands for one not delivered.

    Raises `MalformedItem` if `raw` is no array of objects, or a field has no id or name of its own.
    """
    described = rawjson.value(raw) if raw else None
    if not isinstance(described, list) or not all(isinstance(each, dict) for each in described):
        raise MalformedItem("the content type has no list of fields", item_id=of)
    found = [field for each in described if (field := describe(each))]
    ids, names = [field.id for field in found], [field.name for field in found]
    if not all(ids) or not all(names):
        raise MalformedItem("a field of the content type has no usable name", item_id=of)
    if len(set(ids)) < len(ids) or len(set(names)) < len(names):
        raise MalformedItem("two fields of the content type have the same name", item_id=of)
    return tuple(found)


def typed(
    described: Mapping[str, Any], kinds: Mapping[str, FieldKind], lists: Mapping[str, FieldKind]
) -> tuple[str, FieldKind]:
    """Return a field's type and what its values are: by `kinds`, or by `lists` for what an `Array` has as items.

    The type of an array names that of its items too: `Array<Link>`.
    """
    kind = item.text(described.get("type")) or UNKNOWN_TYPE
    if kind != "Array":
        return kind, kinds.get(kind, "json")
    items = described.get("items")
    of = (item.text(items.get("type")) if isinstance(items, dict) else None) or UNKNOWN_TYPE
    return f"Array<{of}>", lists.get(of, "json")


def titled(display: Any, found: Sequence[Field]) -> str | None:
    """Return the name of the field that `display` names, if it is one of those found."""
    return next((field.name for field in found if field.name == display), None)


def entity(key: EntityKey, raw: bytes, parts: dict[str, bytes], content: str, stamp: Stamp) -> Change:
    """Return an item as the change that publishes it: its member `content` as the fields, all others as `meta`."""
    described, rest = parts.get(content), {name: part for name, part in parts.items() if name != content}
    updated_at = item.moment(stamp.updated_at)
    return Change(
        key=key,
        change_type="published",
        digest=hashlib.blake2b(raw, digest_size=16).digest(),
        raw=raw,
        revision=item.whole(stamp.revision),
        changed_at=updated_at,
        created_at=item.moment(stamp.created_at),
        updated_at=updated_at,
        fields=described,
        meta=rawjson.join(rest),
    )


def key_of(connection: str, kind: ModelKind, value: Any) -> EntityKey:
    """Return the key of a content type or locale; raises `MalformedItem` unless a key can carry its id."""
    return EntityKey(connection, kind, item.identified(kind, value), ALL_LOCALES)


def gather(reader: ModelReader, frames: Iterable[ModelFrame]) -> ListedModel:
    """Return the model that frames hold, which are all answers of one pass through it.

    An item that an answer repeats counts once. Raises `WalkBroken` if the model was changed meanwhile, so that an item
    may have been missed: a later answer repeats an id, or has another total.
    """
    parts: dict[EntityKey, ModelPart] = {}
    unread: list[DeadLetter] = []
    refused: dict[ModelKind, str] = {}
    counts: dict[ModelKind, int] = {}
    totals: dict[ModelKind, int] = {}
    for frame in frames:
        page = reader.read(frame)
        total = totals.get(frame.kind) if frame.total is None else totals.setdefault(frame.kind, frame.total)
        if frame.total not in (None, total) or any(part.change.key in parts for part in page.parts):
            raise WalkBroken("the content model was changed while it was read")
        changes = [(part.change, parts.setdefault(part.change.key, part).change) for part in page.parts]
        unread += [_again(change) for change, first in changes if change.raw != first.raw]
        unread += page.unread
        refused |= {frame.kind: frame.refused} if frame.refused else {}
        counts[frame.kind] = counts.get(frame.kind, 0) + len(frame.raws)
    complete = {kind for kind, count in counts.items() if kind not in refused and totals.get(kind, count) == count}
    return ListedModel(parts=tuple(parts.values()), unread=tuple(unread), refused=refused, complete=frozenset(complete))


def _again(change: Change) -> DeadLetter:
    key = change.key
    return DeadLetter(change.raw, "its id is listed twice", item_type=key.entity_type, item_id=key.id)


def described(reader: ModelReader, raw: bytes) -> ContentType:
    """Return the content type that a raw item describes; raises `MalformedItem`."""
    page = reader.read(ModelFrame("content_type", [raw]))
    found = page.parts[0].content if page.parts else None
    if not isinstance(found, ContentType):
        raise MalformedItem(f"the content type cannot be read: {page.unread[0].reason if page.unread else 'empty'}")
    return found
