"""The error tree: what a class promises about its remedy, and that the module's docstring shows the actual tree."""

import inspect
import re

import pytest

from connector import errors
from connector.errors import (
    BrokerUnavailable,
    ConfigError,
    ConnectorError,
    InternalFailure,
    LocalTrouble,
    RegistryUnavailable,
    SourceRejected,
    SourceUnavailable,
    TopicMismatch,
)

CLASSES = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, ConnectorError)]

REMEDIES = {
    "ConfigError": "stop",
    "SourceUnavailable": "retry",
    "QuotaExhausted": "retry",
    "BrokerUnavailable": "retry",
    "RegistryUnavailable": "retry",
    "RegistryChanged": "recover",
    "LocalTrouble": "retry",
    "SourceRejected": "doubt",
    "ForeignUrl": "stop_stream",
    "WalkStarved": "stop_stream",
    "DeletesHeld": "stop_stream",
    "ItemRefused": "stop_stream",
    "TopicMismatch": "stop_stream",
    "KeySchemaChanged": "stop_stream",
    "StateTooNew": "stop_stream",
    "CheckpointRejected": "re_snapshot",
    "PageTooLarge": "re_snapshot",
    "WalkBroken": "walk_again",
    "MalformedItem": "dead_letter",
    "EventTooLarge": "dead_letter",
    "TransactionAborted": "retry",
    "Fenced": "recover",
    "Superseded": "recover",
    "UnknownOutcome": "recover",
    "InternalFailure": "stop",
}


@pytest.mark.parametrize(("name", "remedy"), REMEDIES.items())
def test_a_class_says_what_to_do(name: str, remedy: str) -> None:
    """Each class, row by row."""
    assert getattr(errors, name)("what happened").remedy == remedy


def test_the_docstring_is_the_tree() -> None:
    """Each class is in the module's docstring, indented below the one it extends."""
    shown: dict[str, str] = {}
    path = ["Exception"]
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"( *)([A-Z][a-z]+[A-Za-z]*)(  |$)", line):
            depth = len(found[1]) // 2 + 1
            path = [*path[:depth], found[2]]
            shown[found[2]] = path[depth - 1]
    assert shown == {each.__name__: each.__base__.__name__ for each in CLASSES if each.__base__}


@pytest.mark.parametrize("error", CLASSES)
def test_a_message_and_a_hint_are_all_there_is(error: type[ConnectorError]) -> None:
    """`str` is only the message; the hint is separate, and empty unless given."""
    assert str(error("what happened")) == "what happened"
    assert error("what happened").hint == ""
    assert error("what happened", hint="what next").hint == "what next"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (BrokerUnavailable("x"), 3),
        (RegistryUnavailable("x"), 3),
        (SourceUnavailable("x"), 3),
        (SourceRejected("x"), 1),
        (TopicMismatch("x"), 1),
        (ConnectorError("x"), 1),
        (LocalTrouble("x"), 3),
        (InternalFailure("x"), 4),
    ],
)
def test_an_exit_code_says_who_has_to_act(error: ConnectorError, code: int) -> None:
    """2: correct the configuration; 3: wait or look at the environment; 4: report it; 1: anything else."""
    assert error.exit_code == code
