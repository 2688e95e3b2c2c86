"""Records in a stream's topics that contentwire did not write: how they are recognised and named. Pure."""

import re
from collections.abc import Collection
from functools import cache
from typing import Final, get_args

import msgspec

from connector.errors import ForeignRecord, StateTooNew
from connector.events import codec
from connector.events.index import UNWRITTEN
from connector.events.index import VERSION as INDEX_VERSION
from connector.events.owner_report import REPORT_KEY, REPORT_VERSION, decode_report
from connector.events.state_record import CHECKPOINT_KEY, CHECKPOINT_VERSION, decode_checkpoint
from connector.model.change import EntityKey, EntityType
from connector.model.checkpoint import Checkpoint
from connector.tables.catalog import MODEL_VERSION, check_model, is_model

_LATER: Final = re.compile(rb"\x00[a-z]+")  # a kind of state record that a later release may have
_VERSIONS: Final = 8  # how many higher numbers still count as later versions
_INDEX_VERSIONS: Final = tuple(bytes([2 * version]) for version in range(1, INDEX_VERSION + 1))
_SHOWN: Final = 3


class Foreign(msgspec.Struct, frozen=True):
    """Where such a record is, its key, and why it is not ours: never content."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    why: str

    def __str__(self) -> str:
        return f"{self.topic} partition {self.partition} offset {self.offset}: {self.why}"


def listing(found: Collection[Foreign]) -> str:
    """Return one line that names the first few of them, and how many more there are."""
    first = [str(each) for each in sorted(found, key=lambda each: (each.topic, each.partition, each.offset))]
    more = f"; and {len(first) - _SHOWN} more" if len(first) > _SHOWN else ""
    return "; ".join(first[:_SHOWN]) + more


def remedy(connection: str) -> str:
    """Return what an operator should do about them."""
    return f"find out who else writes there; contentwire foreign-records {connection} --remove takes them out"


class Standing:
    """The foreign records in topics that are read from their start which no later record of their key replaced."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, bytes | int], Foreign] = {}

    @property
    def found(self) -> tuple[Foreign, ...]:
        """All of them, as far as was read."""
        return tuple(self._found.values())

    def note(self, topic: str, partition: int, key: bytes | None, foreign: Foreign | None) -> None:
        """Take a record; `foreign` describes it, None if it is ours or a tombstone."""
        if foreign:
            self._found[topic, partition, foreign.offset if key is None else key] = foreign
        elif key is not None:
            self._found.pop((topic, partition, key), None)


class StateJudge:
    """Takes the records of a stream's state topic one after the other; `foreign` are those that are not ours.

    A record that a later one of its key replaces is forgotten. `harmless` ones are ignored: without a key they replace
    nothing, and in place of the owner's report its next one replaces them.
    """

    def __init__(self, topic: str, connection: str) -> None:
        self._topic = topic
        self._connection = connection
        self._beginnings = _beginnings(connection)
        self._without_id = tuple(each + b"\0" for each in self._beginnings)
        self._found: dict[bytes, Foreign] = {}
        self._harmless: dict[bytes | int, Foreign] = {}

    @property
    def foreign(self) -> Collection[Foreign]:
        """The records in the topic, as far as it was read, that contentwire did not write."""
        return self._found.values()

    @property
    def harmless(self) -> Collection[Foreign]:
        """Foreign records that nothing depends on."""
        return self._harmless.values()

    def accepts(self, key: bytes | None, value: bytes | None, offset: int) -> bool:
        """Return whether a record is ours; raises `StateTooNew` for one of a later release."""
        if key is None:
            self._harmless[offset] = Foreign(self._topic, 0, offset, None, "it has no key")
            return False
        try:
            why = self._why_not(key, value)
        except StateTooNew as error:
            raise StateTooNew(f"{self._topic} partition 0 offset {offset}: {error}", hint=error.hint) from error
        there = self._harmless if key == REPORT_KEY else self._found
        if why:
            there[key] = Foreign(self._topic, 0, offset, key, why)
        elif there:
            there.pop(key, None)
        return not why

    def check(self) -> None:
        """Raise `ForeignRecord` if any does harm: what is known of the stream cannot be relied on."""
        if self._found:
            raise ForeignRecord(
                f"the state of {self._connection} holds records contentwire did not write: {listing(self.foreign)}",
                hint=remedy(self._connection),
            )

    def _why_not(self, key: bytes, value: bytes | None) -> str:
        if key in _SINGLES:
            return "" if value is None else _why_not_single(key, value, self._connection)
        if is_model(key):
            return "" if value is None else _why_not_model(key, value)
        if _LATER.fullmatch(key):
            raise _too_new()
        if not self._is_entity(key):
            # A tombstone does no harm, whatever its key.
            return "" if value is None else f"its key names no entity of {self._connection}"
        return "" if value is None else _why_not_entry(value)

    def _is_entity(self, key: bytes) -> bool:
        whole = codec.fits("key", key) == len(key) and not key.endswith(b"\0")
        return whole and key.startswith(self._beginnings) and not key.startswith(self._without_id)


_SINGLES: Final = {
    CHECKPOINT_KEY: (CHECKPOINT_VERSION, decode_checkpoint, "checkpoint"),
    REPORT_KEY: (REPORT_VERSION, decode_report, "report"),
}


def _why_not_single(key: bytes, value: bytes, connection: str) -> str:
    version, decode, what = _SINGLES[key]
    _check_later(value, version)
    try:
        found = decode(value)
        ours = not isinstance(found, Checkpoint) or found.stream == connection
    except (ValueError, StateTooNew):
        ours = False
    return "" if ours else f"its value is not a {what} of {connection}"


def _why_not_model(key: bytes, value: bytes) -> str:
    _check_later(value, MODEL_VERSION)
    try:
        check_model(key, value)
    except (ValueError, StateTooNew):
        return "its value is no part of a content model"
    return ""


def _why_not_entry(value: bytes) -> str:
    _check_later(value, INDEX_VERSION)
    # Its last members may be missing: earlier releases end before them.
    missing = codec.fits("index_entry", value + UNWRITTEN) - len(value)
    ours = value[:1] in _INDEX_VERSIONS and 0 <= missing <= len(UNWRITTEN)
    return "" if ours else "its value is not an index entry"


def _check_later(value: bytes, known: int) -> None:
    # A record begins with its version, a zigzag number; one far above ours, or odd, is there by chance.
    if value and value[0] in range(2 * known + 2, 2 * known + 2 * _VERSIONS, 2):
        raise _too_new()


def _too_new() -> StateTooNew:
    return StateTooNew(
        "a record in the state topic was written by a newer version of contentwire",
        hint="run at least the release that wrote it, or move the stream to a new prefix",
    )


@cache
def _beginnings(connection: str) -> tuple[bytes, ...]:
    """Return the prefixes of the keys of a connection's entities."""
    keys = [codec.encode_key(EntityKey(connection, kind, "x", "x")) for kind in get_args(EntityType)]
    return tuple(key[: -len(b"\x02x\x02x")] for key in keys)
