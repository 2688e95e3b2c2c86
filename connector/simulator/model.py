"""Edits of the content model: each makes a content type from another, or says why it cannot. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec

from connector.simulator.value import ContentType, Field, FieldType, Locale

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,49}")
_TYPE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}")
_CODE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_TITLES = ("symbol", "text")
_LINKS = ("entry", "entries")
# What vendors put beside the fields of an entry, as `alike` spells it.
_RESERVED = {
    "uid", "locale", "tags", "taxonomies", "publishdetails", "version", "createdat", "createdby", "updatedat",
    "updatedby", "acl", "inprogress", "url", "emptyfield", "nullfield", "sysassets",
}  # fmt: skip

Overrides = Mapping[str, Mapping[str, Any]]


class UnknownFieldError(LookupError):
    """The content type has no such field."""


def alike(name: str) -> str:
    """Return what two names must differ in: a vendor may write `heroImage` as `hero_image`."""
    return name.replace("_", "").lower()


def content_type(id: str, name: str, fields: Sequence[Field]) -> ContentType:  # noqa: A002 - one word per thing
    """Return a content type whose fields have ids; raises `ValueError` for what no CMS takes."""
    if not _TYPE_ID.fullmatch(id) or alike(id) in _RESERVED:
        raise ValueError(f"no content type can be called {id!r}")
    if not fields or fields[0].type not in _TITLES:
        raise ValueError("the first field of a content type is its title: a symbol or a text")
    made = ContentType(id, name, ())
    for place, field in enumerate(fields):
        made = with_field(made, msgspec.structs.replace(field, id=f"{id}{place:02}"))
    return made


def linked(field: Field, content_type: str) -> Field:
    """Return `field` with a target if it links to entries: its own one, or else `content_type`."""
    return msgspec.structs.replace(field, target=(field.target or content_type) if field.type in _LINKS else "")


def with_field(content_type: ContentType, field: Field) -> ContentType:
    """Return `content_type` with one more field, at the end."""
    _check(field, content_type.fields)
    return msgspec.structs.replace(content_type, fields=(*content_type.fields, field))


def without_field(content_type: ContentType, name: str) -> ContentType:
    """Return `content_type` without a field; the title stays."""
    gone = find(content_type, name)
    if gone == content_type.fields[0]:
        raise ValueError(f"{name} is the title of {content_type.id}")
    return msgspec.structs.replace(content_type, fields=tuple(each for each in content_type.fields if each != gone))


def with_retyped(content_type: ContentType, name: str, type: FieldType, target: str) -> ContentType:  # noqa: A002
    """Return `content_type` with a field of another type; it keeps its id and its place."""
    old = find(content_type, name)
    new = linked(msgspec.structs.replace(old, type=type, target=target), content_type.id)
    return _replaced(content_type, old, new)


def with_renamed(content_type: ContentType, name: str, to: str) -> ContentType:
    """Return `content_type` with a field of another name; it keeps its id and its place."""
    old = find(content_type, name)
    return _replaced(content_type, old, msgspec.structs.replace(old, name=to))


def find(content_type: ContentType, name: str) -> Field:
    """Return the field of that name; raises `UnknownFieldError`."""
    for field in content_type.fields:
        if field.name == name:
            return field
    raise UnknownFieldError(f"{content_type.id} has no field {name!r}")


def carried(overrides: Overrides | None, old: ContentType | None, new: ContentType | None) -> Overrides:
    """Return the given values that an entry keeps when it is published under another version of its content type.

    A renamed field takes its values along; a field that is gone or of another type loses them.
    """
    before = {field.name: field for field in old.fields} if old else {}
    after = {field.id: field for field in new.fields} if new else {}
    names = {field.name for field in after.values()}
    kept: dict[str, Mapping[str, Any]] = {}
    for name, by_locale in (overrides or {}).items():
        field = before.get(name)
        now = after.get(field.id) if field else None
        if field and now and now.type == field.type:
            kept[now.name] = by_locale
        elif not field and name not in names:
            kept[name] = by_locale
    return kept


def with_locale(locales: Sequence[Locale], locale: Locale) -> tuple[Locale, ...]:
    """Return `locales` and one more, whose fallback is among them; raises `ValueError` and `LookupError`."""
    codes = {each.code for each in locales}
    if not _CODE.fullmatch(locale.code) or locale.code.lower() in {code.lower() for code in codes}:
        raise ValueError(f"no locale can be called {locale.code!r}, or there is one already")
    if locale.fallback is not None and locale.fallback not in codes:
        raise LookupError(f"no locale {locale.fallback!r}; there are {', '.join(sorted(codes))}")
    return (*locales, locale)


def fallbacks(locales: Sequence[Locale], code: str) -> tuple[str, ...]:
    """Return `code`, and then the locales that stand in for it, one after the other."""
    following = {each.code: each.fallback for each in locales}
    chain, at = [code], following.get(code)
    while at is not None:
        chain.append(at)
        at = following.get(at)
    return tuple(chain)


def _replaced(content_type: ContentType, old: Field, new: Field) -> ContentType:
    others = tuple(each for each in content_type.fields if each != old)
    _check(new, others)
    if old == content_type.fields[0] and new.type not in _TITLES:
        raise ValueError(f"{old.name} is the title of {content_type.id}: a symbol or a text")
    fields = tuple(new if each == old else each for each in content_type.fields)
    return msgspec.structs.replace(content_type, fields=fields)


def _check(field: Field, others: Sequence[Field]) -> None:
    name = alike(field.name)
    if not _NAME.fullmatch(field.name) or name in _RESERVED:
        raise ValueError(f"no field can be called {field.name!r}")
    if any(alike(each.name) == name for each in others):
        raise ValueError(f"there is a field {field.name!r} already")
    if field.type not in get_args(FieldType):
        raise ValueError(f"no type {field.type!r}; there are {', '.join(get_args(FieldType))}")
    if name == "title" and field.type not in _TITLES:
        raise ValueError(f"{field.name} is a title: a symbol or a text")
