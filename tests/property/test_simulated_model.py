"""The simulator's content model under edits: clients read it as it is, and what they are delivered fits it."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.simulator import ContentType, Field, FieldType, Simulator
from tests.unit.simulator.readers import READERS

Edit = Callable[[Simulator], object]
Pinned = dict[tuple[str, str, str], ContentType]
"""The content type that an entry was published with, by vendor, id and locale; locale `*` for all of them."""

RARE = {"emptyField", "nullField"}
TYPES = ("blogPost", "product", "author", "category", "landing-page", "2ndHandOffer", "late")
NAMES = ("title", "slug", "featured", "price", "name", "rank", "extra", "other_extra", "body", "owner")
KINDS: tuple[FieldType, ...] = get_args(FieldType)
CODES = ("en-US", "de-DE", "it-IT", "de-AT")


def given_text(simulator: Simulator, content_type: str, which: int) -> dict[str, dict[str, str]]:
    """Return a value for one of a content type's texts."""
    fields = {each.id: each.fields for each in simulator.model("contentful").content_types}[content_type]
    texts = [each.name for each in fields if each.type in ("symbol", "text") and each.name not in RARE]
    return {texts[which % len(texts)]: {"en-US": "given"}}


types, names, kinds, codes = map(st.sampled_from, (TYPES, NAMES, KINDS, CODES))
EDITS: st.SearchStrategy[Edit] = st.one_of(
    st.builds(
        lambda at, name, kind, localized: (
            lambda one: one.add_field(at, name, kind, localized=localized, target="author")
        ),
        types,
        names,
        kinds,
        st.booleans(),
    ),
    st.builds(lambda at, name: lambda one: one.remove_field(at, name), types, names),
    st.builds(lambda at, name, kind: lambda one: one.retype_field(at, name, kind), types, names, kinds),
    st.builds(lambda at, name, to: lambda one: one.rename_field(at, name, to), types, names, names),
    st.builds(
        lambda kind: lambda one: one.add_content_type("late", [Field("name", "text"), Field("extra", kind)]), kinds
    ),
    st.builds(lambda at: lambda one: one.delete_content_type(at), types),
    st.builds(lambda code, fallback: lambda one: one.add_locale(code, fallback=fallback), codes, codes),
    st.builds(lambda at: lambda one: one.publish(at), types),
    st.builds(lambda at, code: lambda one: one.publish(at, locales=[code]), types, codes),
    st.builds(
        lambda at, which: lambda one: one.publish(at, fields=given_text(one, at, which)), types, st.integers(0, 5)
    ),
    st.builds(lambda which: lambda one: one.edit(one.ids()[which]), st.integers(-5, 9)),
    st.builds(lambda which, code: lambda one: one.edit(one.ids()[which], locales=[code]), st.integers(0, 9), codes),
    st.builds(lambda which: lambda one: one.publish(id=one.ids()[which]), st.integers(-5, 9)),
    st.builds(lambda which: lambda one: one.unpublish(one.ids()[which], locale="de-DE"), st.integers(0, 9)),
    st.builds(lambda count: lambda one: one.churn(count), st.integers(1, 5)),
)


def pin(simulator: Simulator, pinned: Pinned, noted: int) -> int:
    """Remember the content types of what has been published since `noted` changes; return how many there are now."""
    changes = simulator.changes()
    # All vendors list the types in the same order; this one writes their ids as they were given.
    places = {each.id: place for place, each in enumerate(simulator.model("weegloo").content_types)}
    for vendor in READERS:
        known = simulator.model(vendor).content_types
        for change in changes[noted:]:
            place = places.get(change.version.content_type or "")
            if change.action != "published" or place is None:
                continue
            for locale in ("*", *change.locales):
                pinned[vendor, change.version.id, locale.lower()] = known[place]
    return len(changes)


def misfits(vendor: str, simulator: Simulator, pinned: Pinned) -> Iterator[Any]:
    """Yield what is delivered and does not fit the content type that it was published with."""
    reader = READERS[vendor]
    for item in reader.items(simulator, **reader.start):
        entry = reader.published(item)
        content_type = pinned.get((vendor, entry.id, entry.locale)) if entry else None
        if entry is None or content_type is None:
            continue
        fields = {each.name: each for each in content_type.fields}
        if entry.values and not fields.keys() - RARE <= entry.values.keys() <= fields.keys():
            yield entry.id, entry.values.keys() ^ fields.keys()
        for name, by_locale in entry.values.items():
            for locale, value in by_locale.items():
                if not reader.fits(fields[name].type, value):
                    yield entry.id, fields[name], value
                if entry.locale == "*" and not fields[name].localized and locale != "en-US":
                    yield entry.id, fields[name], locale


@given(st.lists(EDITS, max_size=40))
@settings(max_examples=60, deadline=None)
def test_whatever_is_edited_content_fits_the_model_it_was_published_with(edits: list[Edit]) -> None:
    """And every vendor's model requests and items tell the model as it is."""
    simulator, pinned = Simulator(seed=3, entries=30, content_types=6), Pinned()
    noted = pin(simulator, pinned, 0)
    for edit in edits:
        # What the CMS refuses changes nothing.
        with suppress(LookupError, ValueError):
            edit(simulator)
        noted = pin(simulator, pinned, noted)
    for vendor, reader in READERS.items():
        assert list(misfits(vendor, simulator, pinned)) == []
        assert reader.model(simulator) == simulator.model(vendor)
