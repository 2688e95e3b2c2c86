"""What is known of each key: the overlay of a batch in the making, live locales, versions."""

import pytest

from connector.errors import StateTooNew
from connector.events import codec
from connector.events.index import Index, IndexEntry, decode_entry, row_locales, written_rows
from connector.model.change import EntityKey
from tests.values import entry_key

DIGEST = bytes(range(16))


def entry(*, live: bool = True, epoch: int = 1, digest: bytes = DIGEST) -> IndexEntry:
    """Return an index entry."""
    return IndexEntry(live, "published", "post", 0, 1_718_006_401_000_000, digest, epoch)


def known(index: Index, key: EntityKey) -> IndexEntry | None:
    """Return what an index knows of a key."""
    return index.get(codec.encode_key(key))


def put(index: Index, key: EntityKey, value: IndexEntry | None) -> None:
    """Stage an entry, or with None its removal."""
    index.stage(codec.encode_key(key), value.encode() if value else None)


@pytest.mark.parametrize("unset", [None, 5])
def test_an_entry_survives_its_record(unset: int | None) -> None:
    """Every member comes back, unknown ones as unknown, a revision of zero as zero."""
    before = IndexEntry(False, "deleted", None, unset, unset, DIGEST, 3, rows=written_rows(["de-DE", "en-US"]))
    assert decode_entry(before.encode()) == before
    assert decode_entry(entry().encode()).revision == 0


def test_the_locales_of_rows_come_back() -> None:
    """Whatever a locale's code is; none at all are nothing to write."""
    assert row_locales(written_rows(["en-US", 'a"b', "*"])) == {"en-US", 'a"b', "*"}
    assert written_rows([]) is None
    assert row_locales(None) == frozenset()


def test_an_entry_of_an_earlier_release_has_no_rows() -> None:
    """Its record ends before them."""
    assert decode_entry(entry().encode()[:-1]) == entry()


@pytest.mark.parametrize("record", [b"", b"\x06", b"\x06" + entry().encode()[1:]])
def test_a_newer_record_is_refused(record: bytes) -> None:
    """A record of a later format, or an empty one, is an error of its own that says what to do."""
    with pytest.raises(StateTooNew, match="newer version") as caught:
        decode_entry(record)
    assert "release that wrote it" in caught.value.hint


def test_staged_entries_are_seen_at_once() -> None:
    """Later changes of a batch see earlier ones, before anything is committed."""
    index = Index()
    put(index, entry_key(), entry())
    assert known(index, entry_key()) == entry()
    assert len(index) == 0


def test_committed_entries_stay() -> None:
    """After the transaction the overlay is part of the index."""
    index = Index()
    put(index, entry_key(), entry())
    index.commit()
    index.discard()
    assert (known(index, entry_key()), len(index), dict(index.staged)) == (entry(), 1, {})


def test_discarded_entries_leave_what_was_there() -> None:
    """A batch that is not visible leaves no trace."""
    index = Index()
    put(index, entry_key(), entry(epoch=1))
    index.commit()
    put(index, entry_key(), entry(epoch=2))
    put(index, entry_key("e2"), entry())
    index.discard()
    assert [value.epoch for _, value in index.entries()] == [1]


def test_a_removed_entry_is_unknown() -> None:
    """Staged and committed removals hide the entry; an applied tombstone removes it."""
    index = Index()
    index.apply(codec.encode_key(entry_key()), entry().encode())
    put(index, entry_key(), None)
    assert known(index, entry_key()) is None
    assert list(index.entries()) == []
    index.commit()
    assert len(index) == 0
    index.apply(codec.encode_key(entry_key()), None)
    assert len(index) == 0


def test_the_index_may_change_while_it_is_iterated() -> None:
    """Reconciliation stages removals of what it iterates over."""
    index = Index()
    for number in range(10):
        put(index, entry_key(f"e{number}"), entry())
    index.commit()
    for body, value in index.entries():
        assert value.live
        index.stage(body, entry(live=False).encode())
        index.commit()
    assert not any(value.live for _, value in index.entries())


@pytest.mark.parametrize("asked_before", [False, True])
def test_live_locales_are_those_of_one_entity(*, asked_before: bool) -> None:
    """Live keys of the same type and id, sorted, `*` among them; staged, committed and applied ones count."""
    index = Index()
    if asked_before:
        assert index.live_locales(entry_key()) == []
    index.apply(codec.encode_key(entry_key(locale="fr")), entry().encode())
    put(index, entry_key(locale="de"), entry())
    put(index, entry_key(locale="nl"), entry(live=False))
    put(index, entry_key("e2", locale="it"), entry())
    put(index, EntityKey("blog", "asset", "e1", "sv"), entry())
    put(index, entry_key(), entry())
    assert index.live_locales(entry_key()) == [entry_key(), entry_key(locale="de"), entry_key(locale="fr")]


def test_an_entity_is_known_by_any_locale() -> None:
    """Even by one that was removed; not by another entity's."""
    index = Index()
    put(index, entry_key(locale="de"), entry(live=False))
    assert index.knows(entry_key())
    assert not index.knows(entry_key("e2"))


def test_a_cleared_index_knows_nothing() -> None:
    """The state topic starts over."""
    index = Index()
    put(index, entry_key(locale="de"), entry())
    index.commit()
    put(index, entry_key(), entry())
    index.clear()
    assert (len(index), list(index.entries()), index.live_locales(entry_key())) == (0, [], [])


class Localised:
    """An item of a locale, as the compiled core reads it."""

    raw = b""
    whole_body: bytes | None = None
    content_type: str | None = None

    def __init__(self, key: EntityKey) -> None:
        self.body, self.entity_type, self.id, self.locale = codec.encode_key(key), key.entity_type, key.id, key.locale

    def members(self) -> dict[str, object]:
        """Return no other members."""
        return {}


def test_what_the_core_has_staged_is_seen_as_any_other() -> None:
    """By its key, and among the locales of its id, whether or not these had been asked for before."""
    for asked_before in (False, True):
        index, key = Index(), entry_key(locale="de")
        if asked_before:
            assert index.live_locales(key) == []
        _, staged = index.records()
        item = Localised(key)
        staged[item.body] = entry().encode()
        index.noted([item])
        assert item.body in index
        assert index.live_locales(key) == [key]
        index.discard()
        assert item.body not in index
        assert index.live_locales(key) == []


def test_a_key_that_is_about_to_be_forgotten_is_not_in_the_index() -> None:
    """Its removal is staged."""
    index, key = Index(), entry_key()
    put(index, key, entry())
    index.commit()
    put(index, key, None)
    assert codec.encode_key(key) not in index
