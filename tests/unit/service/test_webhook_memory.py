"""The memory of webhook calls: each counts once, a refusal is logged once a minute, and memory is bounded."""

from connector.service.webhook_memory import Calls
from connector.testing import ManualClock


def test_a_call_that_could_not_be_handled_counts_when_it_is_repeated() -> None:
    """Its sender is asked to repeat it, and may send the identical call again."""
    calls = Calls(ManualClock())
    assert calls.first("signature")
    assert not calls.first("signature")
    calls.forget("signature")
    assert calls.first("signature")


def test_forgetting_what_was_never_seen_is_no_error() -> None:
    """A call with nothing unique in it is not remembered."""
    calls = Calls(ManualClock())
    calls.first("one")
    calls.forget(None)
    calls.forget("another")
    assert not calls.first("one")


def test_a_call_is_remembered_for_as_long_as_its_signature_is_good() -> None:
    """For two minutes from its first arrival, and no longer."""
    clock = ManualClock()
    calls = Calls(clock)
    calls.first("signature")
    clock.wait(120)
    assert not calls.first("signature")
    clock.wait(1)
    assert calls.first("signature")


def test_the_memory_of_calls_is_bounded() -> None:
    """However many different calls arrive."""
    calls = Calls(ManualClock())
    assert all(calls.first(str(number)) for number in range(20_000))
    assert len(calls._seen) <= 10_000
    assert not calls.first("19999")


def test_a_refusal_is_logged_once_a_minute() -> None:
    """For each connection and reason separately: a flood writes few lines, and hides no other refusal."""
    clock = ManualClock()
    calls = Calls(clock)
    assert calls.is_news("blog", "expired")
    assert calls.is_news("blog", "wrong")
    assert calls.is_news("shop", "expired")
    clock.wait(59)
    assert not calls.is_news("blog", "expired")
    clock.wait(1)
    assert calls.is_news("blog", "expired")
