"""A full-text index of typed tables in a folder: a document for each row, its text in the field of its language.

The next offsets are a document of their own: tantivy commits it together with the rows, or neither.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from tantivy import Document, Filter, Index, Occur, Query, Schema, SchemaBuilder, TextAnalyzerBuilder, Tokenizer

from examples import tables
from examples.tables import Positions, Row

LANGUAGES: Final = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish", "fi": "finnish",
    "fr": "french", "hu": "hungarian", "it": "italian", "nb": "norwegian", "nl": "dutch", "no": "norwegian",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
"""Whose words have their endings removed; other languages are indexed as they are."""

_ANY: Final = "any"
_POSITIONS: Final = "positions"  # no row has a key without slashes
_HEAP = 50_000_000


class Hit(NamedTuple):
    """A row that was found."""

    score: float
    table: str
    id: str
    title: str


def opened(folder: Path) -> Index:
    """Return the index in a folder, a new one if there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    index = Index(_schema(), path=str(folder))
    index.register_tokenizer(_ANY, _words().build())
    for code, name in LANGUAGES.items():
        index.register_tokenizer(code, _words().filter(Filter.stemmer(name)).build())
    return index


class Writer:
    """Applies rows; raises `ValueError` if another process writes this index."""

    def __init__(self, index: Index) -> None:
        self._writer = index.writer(heap_size=_HEAP, num_threads=1)
        self._positions = positions(index)

    def position(self, table: str, partition: int) -> int | None:
        """Return the offset to continue from, None for the beginning."""
        return self._positions.get(table, {}).get(partition)

    def write(self, batch: list[Row]) -> None:
        """Replace the documents of these rows, and move the position, together."""
        for row in {(row.table, row.identity): row for row in batch}.values():
            self._writer.delete_documents_by_term("key", _key(row))
            if row.values is not None:
                self._writer.add_document(_document(row))
        for table, places in tables.ends(batch).items():
            self._positions.setdefault(table, {}).update(places)
        self._writer.delete_documents_by_term("key", _POSITIONS)
        self._writer.add_document(Document(key=[_POSITIONS], title=[json.dumps(self._positions)]))
        self._writer.commit()


def positions(index: Index) -> dict[str, Positions]:
    """Return the next offsets, by table."""
    searcher = index.searcher()
    hits = searcher.search(Query.term_query(index.schema, "key", _POSITIONS), 1).hits
    if not hits:
        return {}
    found = json.loads(searcher.doc(hits[0][1])["title"][0])
    return {table: {int(partition): offset for partition, offset in each.items()} for table, each in found.items()}


def search(index: Index, text: str, locale: str, limit: int = 10) -> list[Hit]:
    """Return the rows of a locale that match, best first; what of the text is no query is left out."""
    words, _ = index.parse_query_lenient(text, [_language(locale)])
    here = Query.term_query(index.schema, "locale", locale)
    searcher = index.searcher()
    hits = searcher.search(Query.boolean_query([(Occur.Must, words), (Occur.Must, here)]), limit).hits
    return [Hit(score, *_shown(searcher.doc(address))) for score, address in hits]


def _words() -> TextAnalyzerBuilder:
    return TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.lowercase())


def _shown(document: Any) -> tuple[str, str, str]:
    table, _, identity = document["key"][0].partition("/")
    return table, identity.rpartition("/")[0], document["title"][0]


def _schema() -> Schema:
    builder = SchemaBuilder()
    builder.add_text_field("key", stored=True, tokenizer_name="raw")
    builder.add_text_field("locale", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("title", stored=True, tokenizer_name="raw", index_option="basic")
    for code in (_ANY, *LANGUAGES):
        builder.add_text_field(code, tokenizer_name=code)
    return builder.build()


def _document(row: Row) -> Document:
    texts = list(_texts(row))
    title = texts[0] if texts else ""
    return Document(key=[_key(row)], locale=[row.key["locale"]], title=[title], **{_language(row.key["locale"]): texts})


def _texts(row: Row) -> Iterable[str]:
    """Yield the texts of a row's columns, in their order."""
    for name, kind in row.columns.items():
        value = (row.values or {}).get(name)
        if value is None or name.startswith("_"):
            continue
        if kind == "string":
            yield value
        elif kind == "strings":
            yield from value
        elif kind == "json":
            yield tables.text_of(value)


def _key(row: Row) -> str:
    return f"{row.table}/{row.key['id']}/{row.key['locale']}"


def _language(locale: str) -> str:
    code = locale.partition("-")[0].lower()
    return code if code in LANGUAGES else _ANY
