"""The content model as an API lists it: answers before and after they are parsed, and the whole. Immutable. Pure."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from connector.model.change import Change, DeadLetter, EntityKey
from connector.model.content_model import ContentModel, ContentType, Locale, in_order

ModelKind = Literal["content_type", "locale"]
"""What a list of a model holds; the entity type of its items."""


class ModelPosition(msgspec.Struct, frozen=True):
    """Which list of a model is asked for, and where in it: `cursor` is the vendor's own, empty at a list's start."""

    kind: ModelKind
    cursor: str = ""


class ModelFrame(msgspec.Struct, frozen=True):
    """One answer to a model request: its raw items in their order, unparsed.

    - `after`: the position of the next request, None at the end of the model.
    - `total`: how many items the list has, None if the API does not say.
    - `refused`: why the API gives nothing of this kind to these credentials; None if it does.
    """

    kind: ModelKind
    raws: list[bytes]
    after: ModelPosition | None = None
    total: int | None = None
    refused: str | None = None


class ModelPart(msgspec.Struct, frozen=True):
    """One content type or locale: what it says, and the change that publishes its item verbatim."""

    content: ContentType | Locale
    change: Change


class ModelPage(msgspec.Struct, frozen=True):
    """One answer, parsed, in its order. `unread`: the items that could not be understood; their type is the `kind`."""

    parts: tuple[ModelPart, ...]
    unread: tuple[DeadLetter, ...] = ()


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A whole content model, as an API listed it at one time.

    - `parts`: each content type and locale once, as listed. `unread`: items that could not be understood.
    - `refused`: why the API gives nothing of a kind.
    - `complete`: the kinds whose list is known from its start to its end.
    """

    parts: tuple[ModelPart, ...]
    unread: tuple[DeadLetter, ...] = ()
    refused: dict[ModelKind, str] = {}
    complete: frozenset[ModelKind] = frozenset()

    @property
    def content(self) -> ContentModel:
        """What could be understood: content types by id, locales as listed."""
        contents = [part.content for part in self.parts]
        types = [each for each in contents if isinstance(each, ContentType)]
        locales = [each for each in contents if isinstance(each, Locale)]
        return ContentModel(content_types=in_order(types), locales=tuple(locales))

    @property
    def changes(self) -> tuple[Change, ...]:
        """The parts as changes that publish them."""
        return tuple(part.change for part in self.parts)

    def over(self, known: ContentModel) -> ContentModel:
        """Return the model as this list says it is, and as it was `known` where the list is silent or incomplete."""
        listed, types, locales = self.content, known.content_types, known.locales
        if "content_type" in self.complete:
            unread = {letter.item_id for letter in self.unread}
            types = in_order((*listed.content_types, *(each for each in types if each.id in unread)))
        if "locale" in self.complete:
            locales = listed.locales
        return ContentModel(content_types=types, locales=locales)

    def gone(self, known: Iterable[EntityKey]) -> list[EntityKey]:
        """Return which of the `known` keys this list proves to be no longer in the model.

        Nothing of a kind is gone if its list is not complete, or holds an unread item without an id: it could be any.
        """
        doubted = {letter.item_type for letter in self.unread if letter.item_id is None}
        there = {(change.key.entity_type, change.key.id) for change in self.changes}
        there |= {(letter.item_type or "", letter.item_id) for letter in self.unread if letter.item_id}
        proved = self.complete - doubted
        return [key for key in known if key.entity_type in proved and (key.entity_type, key.id) not in there]
