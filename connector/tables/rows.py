"""A published entity to the rows of its table, in Avro: each value exact in its column, or a misfit. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from connector.events.codec import long, string
from connector.model.change import Change, EntityKey
from connector.model.content_model import ContentType, Locale
from connector.model.timestamp import Timestamp
from connector.tables import compiled, values
from connector.tables.columns import Layout, Options
from connector.tables.kinds import NULL
from connector.tables.places import default, slots, sources
from connector.tables.values import Misfit, Values

_SOME = b"\2"
_INEXACT = NULL + _SOME  # of a number: no double, but a text


class Stamp(msgspec.Struct, frozen=True):
    """What a row says of the change event that it comes from."""

    event_id: str
    sequence: int
    op: str


class Row(msgspec.Struct, frozen=True):
    """One record of a table: the bare Avro body of its value, None to delete the row."""

    key: EntityKey
    value: bytes | None


class Rows(msgspec.Struct, frozen=True):
    """What becomes of one published entity.

    - `rows`: to be written, then those to be deleted. A row with a misfit is not among them: it stays as it is.
    - `live`: the locales that have a row once `rows` are written.
    - `inexact`: how many numbers stand in a text column, because a double would be another number.
    - `unknown`: members of the fields that the content type does not have, where that can be told.
    """

    rows: tuple[Row, ...]
    live: frozenset[str]
    misfits: tuple[Misfit, ...] = ()
    inexact: int = 0
    unknown: tuple[str, ...] = ()


class Table:
    """Makes the rows of one table, by a layout that `evolve` returned for the content type, until either changes.

    `locales` are the model's. `localized`: items are of one locale each, that of their key, and their fields hold
    values; else fields hold maps of locales. Raises `ModelRefused` if the model lacks a default locale that is needed.
    """

    def __init__(
        self,
        layout: Layout,
        content_type: ContentType,
        options: Options,
        locales: tuple[Locale, ...],
        *,
        localized: bool,
    ) -> None:
        self._sources = sources(layout, content_type, options.locales, locales, localized=localized)
        places = [place for source in self._sources for place in source.places]
        self._shared = [place for place in places if place.locales is not None]
        self._own = [place for place in places if place.locales is None]
        self._numbers = [slot.at for slot in slots(layout) if slot.kind == "number"]
        self._blank = [slot.how.nulls for slot in slots(layout)]
        self._mode = options.locales
        self._default = default(locales)
        self._localized = localized
        self._decode = values.decoder(self._sources, flat=localized)
        self._writer = compiled.writer(self._sources, self._blank)

    def rows(self, change: Change, stamp: Stamp, live: frozenset[str] = frozenset()) -> Rows:
        """Return the rows of a published entity; `live` are the locales of its key that have a row.

        An entity without any value has a row too, of the default locale.
        """
        return self._compiled(change, stamp, live) or self.in_python(change, stamp, live)

    def _compiled(self, change: Change, stamp: Stamp, live: frozenset[str]) -> Rows | None:
        """Return the rows that the compiled core writes, None if Python has to."""
        if self._writer is None:
            return None
        key, around = change.key, _said(change, stamp)
        fields, flat = self._fields(change)
        try:
            found = self._writer.write(fields, flat, self._settled(key), self._default or key.locale, around)
            if found is None:
                return None
            rows = [Row(EntityKey(key.connection, key.entity_type, key.id, locale), value) for locale, value in found]
        except ValueError:
            return None
        delivered = frozenset([locale for locale, _ in found])
        return Rows((*rows, *removed(key, live - delivered)), delivered)

    def in_python(self, change: Change, stamp: Stamp, live: frozenset[str] = frozenset()) -> Rows:
        """Return what `rows` returns, without the compiled core."""
        fields, flat = self._fields(change)
        try:
            return self._rows(change, stamp, live, values.decoded(self._decode, fields, flat))
        except (ValueError, RecursionError):
            pass
        try:
            found = values.slices(self._sources, fields, flat)
            if found.misfits:  # nobody knows which locales there are: no row may be deleted
                return Rows((), live, tuple(found.misfits), unknown=found.unknown)
            return self._rows(change, stamp, live, found)
        except UnicodeEncodeError:
            reason = "a locale is no text that UTF-8 can hold"
        except ValueError as error:
            reason = f"the fields cannot be read: {error}"
        return Rows((), live, (Misfit("", reason),))

    def _fields(self, change: Change) -> tuple[bytes, str | None]:
        """Return the fields of an item, and the locale that they all are of, if they are of one."""
        return change.fields or b"{}", change.key.locale if self._localized else None

    def _rows(self, change: Change, stamp: Stamp, live: frozenset[str], found: Values) -> Rows:
        key, shared = change.key, self._blank.copy()
        self._fill_shared(shared, found)
        broken, written, inexact = bool(found.misfits), [], 0
        before, after = _said(change, stamp)
        delivered = self._delivered(key, found.maps)
        for locale in delivered:
            row, misfits = shared.copy(), len(found.misfits)
            for place in self._own:
                value = found.maps[place.source].get(locale)
                if value is not None:
                    found.put(value, place, row, locale)
            if broken or len(found.misfits) > misfits:
                continue
            inexact += sum(row[at].startswith(_INEXACT) for at in self._numbers)
            value = b"".join((*row, before, string(locale.encode()), after))
            written.append(Row(EntityKey(key.connection, key.entity_type, key.id, locale), value))
        kept = live.intersection(delivered)
        return Rows(
            rows=(*written, *removed(key, live - kept)),
            live=kept.union([row.key.locale for row in written]),
            misfits=tuple(found.misfits),
            inexact=inexact,
            unknown=found.unknown,
        )

    def _fill_shared(self, row: list[bytes], found: Values) -> None:
        """Fill in what is the same in every row."""
        for place in self._shared:
            by_locale = found.maps[place.source]
            for locale in place.locales or (by_locale if len(by_locale) == 1 else ()):
                value = by_locale.get(locale)
                if value is not None and found.put(value, place, row, None):
                    break

    def _settled(self, key: EntityKey) -> tuple[str, ...] | None:
        """Return the locales that the entity has rows of, None if that depends on its fields."""
        if isinstance(self._mode, tuple):
            return (key.locale,)
        if self._localized:
            return (key.locale,) if self._mode == "rows" or key.locale == self._default else ()
        return (self._default or key.locale,) if self._mode == "default" else None

    def _delivered(self, key: EntityKey, maps: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
        """Return the locales that the entity has rows of."""
        settled = self._settled(key)
        if settled is not None:
            return settled
        return tuple({locale: None for of in maps for locale in of}) or (self._default or key.locale,)


def removed(key: EntityKey, live: Iterable[str]) -> tuple[Row, ...]:
    """Return the deletes of a key's rows, by the locales that have one."""
    return tuple(Row(replace(key, locale=locale), None) for locale in sorted(live))


def _said(change: Change, stamp: Stamp) -> tuple[bytes, bytes]:
    """Return the columns that each row ends with, before and after the row's locale."""
    numbers = (change.revision, *map(_millis, (change.changed_at, change.created_at, change.updated_at)))
    of_entity = b"".join([NULL if number is None else _SOME + long(number) for number in numbers])
    of_event = long(stamp.sequence) + string(stamp.event_id.encode()) + string(stamp.op.encode())
    return string(change.key.id.encode()), of_entity + of_event


def _millis(moment: Timestamp | None) -> int | None:
    return None if moment is None else moment.millis
