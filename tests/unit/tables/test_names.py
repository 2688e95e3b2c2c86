"""Names of tables and columns: accepted everywhere, reversible, and never shared."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.tables import names

# What a vendor may call a field: mostly ordinary, and everything that comes near the escapes.
ODD = st.lists(
    st.one_of(
        st.sampled_from(["_", "__", "_x2d", "_u20ac", "_U0001f600", "x", "2", "a", "A", "-", "."]), st.text(max_size=3)
    )
).map("".join)
AVRO = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("title", "title"),
        ("blog_post", "blog_post"),
        ("blogPost2", "blogPost2"),
        ("blog-post", "blog_x2dpost"),
        ("blog.post", "blog_x2epost"),
        ("2wKn6y", "_x32wKn6y"),
        ("größe", "gr_xf6_xdfe"),
        ("€", "_u20ac"),
        ("😀", "_U0001f600"),
        ("_asset", "_x5fasset"),
        ("title_", "title_x5f"),
        ("a__b", "a_x5f_b"),
        ("a_x2db", "a_x5fx2db"),
        ("my_xaver", "my_xaver"),
        ("", "_"),
        ("_", "_x5f"),
    ],
)
def test_names_are_escaped_as_documented(name: str, escaped: str) -> None:
    """Ordinary names stay; codes stand for the rest."""
    assert names.escape(name) == escaped


@given(ODD)
@example("\ud83d")
@example("a\n")
def test_escaping_is_reversible_and_accepted(name: str) -> None:
    """Every text has a name that Avro and Kafka accept and that leads back to it, so that no two share one."""
    escaped = names.escape(name)
    assert AVRO.fullmatch(escaped)
    assert names.unescape(escaped) == name
    assert "__" not in escaped


@given(ODD)
def test_no_field_takes_a_name_of_ours(name: str) -> None:
    """Reserved columns and tables begin with an underscore that no code follows: an escaped name never does."""
    ours = ["_entity_id", "_locale", "_revision", "_published_at", "_created_at", "_updated_at", "_sequence"]
    assert names.escape(name) not in [*ours, "_event_id", "_op", names.ASSETS, names.CONTENT_TYPES, names.LOCALES]


columns = st.tuples(
    ODD,
    st.integers(1, 3),
    st.one_of(st.none(), ODD, st.sampled_from(["de-DE", "de_DE", "text", "lat", "lon", "2", "__2"])),
    st.sampled_from(["", "text", "lat", "lon"]),
)


def named(name: str, number: int, locale: str | None, part: str) -> str:
    """Return a column's name, whose field was the first, the second or the third of its name."""
    stem = names.stem(name, [names.escape(name), f"{names.escape(name)}__2"][: number - 1])
    return names.column(stem, locale, part)


@given(columns, columns)
@example(("a", 1, "text", ""), ("a", 1, None, "text"))
@example(("a", 2, None, ""), ("a", 1, "2", ""))
@example(("a", 1, "de-DE", ""), ("a", 1, "de_DE", ""))
def test_columns_share_no_name(one: tuple[str, int, str | None, str], other: tuple[str, int, str | None, str]) -> None:
    """Field, number, locale and part can be told from a column's name."""
    assert AVRO.fullmatch(named(*one))
    assert (named(*one) == named(*other)) == (one == other)


def test_a_locale_reads_as_usual() -> None:
    """`title__de_DE` is the column of `de-DE`."""
    assert names.column("title", "de-DE", "") == "title__de_DE"
    assert names.column("price__2", "de-DE", "text") == "price__2__de_DE__text"


def test_a_stem_differs_by_more_than_case() -> None:
    """Sinks that fold case get different columns as well."""
    assert names.stem("Title", ["title", "TITLE__2"]) == "Title__3"


def test_types_that_sinks_would_confuse_are_reported() -> None:
    """Equal ids, and ids that differ by case alone, are pairs; the others are not."""
    assert names.collisions(["post", "blog-post", "Post", "blog_post", "post"]) == (("post", "Post"), ("post", "post"))


def test_a_record_is_named_after_connection_and_table() -> None:
    """The name depends on nothing that an edit of the model changes."""
    assert names.record("my-blog", names.ASSETS) == "contentwire.table.my_x2dblog._asset"
