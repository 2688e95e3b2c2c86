"""Where the values of a content type's fields go in the rows of a layout. Pure."""

from collections.abc import Iterator, Mapping
from itertools import groupby

import msgspec

from connector.errors import ModelRefused
from connector.model.content_model import ContentType, FieldKind, Locale
from connector.tables.columns import Layout, Locales
from connector.tables.kinds import KINDS, Kind


class Slot(msgspec.Struct, frozen=True):
    """The columns of one value, which stand side by side.

    `at`: the slot's number in a row. `how`: how values are written there. `column`: the name of the first one.
    `field`, `locale`: what the value is of.
    """

    at: int
    kind: FieldKind
    how: Kind
    column: str
    field: str
    locale: str | None


class Place(msgspec.Struct, frozen=True):
    """Where the values of the field with the number `source` go.

    - `locales`: those whose value it may be, the first that has one counts; None for the row's own, empty for the only
      locale there is.
    - `earlier`: slots of earlier kinds, the last ones first, for what does not fit: content older than its model.
    """

    source: int
    locales: tuple[str, ...] | None
    slot: Slot
    earlier: tuple[Slot, ...] = ()


class Source(msgspec.Struct, frozen=True):
    """A field: the member of an item's fields that holds its values, what they are, and where they go."""

    member: str
    kind: Kind
    places: tuple[Place, ...]


def slots(layout: Layout) -> list[Slot]:
    """Return the slots of a row, in order: all columns, each in one of them."""
    groups = groupby(layout.columns, key=lambda column: (column.field, column.kind, column.locale))
    return [
        Slot(at, kind, KINDS[kind], next(columns).name, field, locale)
        for at, ((field, kind, locale), columns) in enumerate(groups)
    ]


def default(locales: tuple[Locale, ...]) -> str | None:
    """Return the code of the default locale, None if none is said to be."""
    return next((locale.code for locale in locales if locale.default), None)


def sources(
    layout: Layout, content_type: ContentType, mode: Locales, locales: tuple[Locale, ...], *, localized: bool
) -> list[Source]:
    """Return the fields in order; `layout` is one that `evolve` returned for the content type.

    With `localized`, items are of one locale each, and so are all of their values. Raises `ModelRefused` if only the
    default locale is asked for, and there is none.
    """
    code = default(locales)
    if mode == "default" and code is None:
        raise ModelRefused(
            "tables: the CMS names no default locale, and no other is asked for",
            hint='set locales = "rows", or name the locales, for the tables of this connection',
        )
    chain = tuple(_chain(code, {locale.code: locale for locale in locales})) if mode == "default" else None
    always = () if code is None else (code,)
    all_slots, current = slots(layout), {each.field: each.kind for each in layout.columns if each.current}
    found = []
    for number, field in enumerate(content_type.fields):
        if field.localized and isinstance(mode, tuple):
            into: dict[str | None, tuple[str, ...] | None] = {each: (each,) for each in mode}
        else:
            into = {None: None if localized else chain if field.localized else always}
        kind, own = current[field.id], [slot for slot in all_slots if slot.field == field.id]
        places = tuple(
            _place(number, wanted, kind, [slot for slot in own if slot.locale == where])
            for where, wanted in into.items()
        )
        found.append(Source(field.name, KINDS[kind], places))
    return found


def _place(number: int, locales: tuple[str, ...] | None, kind: FieldKind, of: list[Slot]) -> Place:
    slot = next(each for each in of if each.kind == kind)
    return Place(number, locales, slot, tuple(each for each in reversed(of) if each.kind != kind))


def _chain(code: str | None, known: Mapping[str, Locale]) -> Iterator[str]:
    """Yield a locale and those that stand in for it, one after the other, each once."""
    seen: set[str] = set()
    while code is not None and code not in seen:
        yield code
        seen.add(code)
        code = known[code].fallback if code in known else None
