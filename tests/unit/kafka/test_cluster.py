"""A group's description: asked for again while brokers are starting, but only for a limited time."""

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from connector.errors import BrokerUnavailable
from connector.kafka.cluster import described
from connector.testing import ManualClock

COMING = KafkaException(KafkaError(KafkaError.COORDINATOR_NOT_AVAILABLE))
DENIED = KafkaException(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))


class Admin:
    """Kafka's admin client, with scripted answers, of which the last repeats."""

    def __init__(self, *answers: object) -> None:
        self.answers = [*answers]
        self.asked: list[tuple[list[str], bool]] = []

    def describe_consumer_groups(
        self, groups: list[str], *, include_authorized_operations: bool, request_timeout: float
    ) -> dict[str, Future[object]]:
        """Return the next answer."""
        assert request_timeout > 0
        self.asked.append((groups, include_authorized_operations))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        future: Future[object] = Future()
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
        return {groups[0]: future}


def ask(admin: Any, clock: ManualClock, **options: Any) -> object:
    """Ask for a group, for five seconds."""
    return described(admin, "g", 5.0, clock, **options)


def test_brokers_that_are_starting_are_asked_again() -> None:
    """The first request makes them create the groups' topic, and they refuse until it exists."""
    admin, clock = Admin(COMING, COMING, "found"), ManualClock()
    assert ask(admin, clock, authorized=True) == "found"
    assert admin.asked == [(["g"], True)] * 3
    assert clock.monotonic() > 0


def test_brokers_that_never_start_are_given_up() -> None:
    """Soon after the time is up, with what they answered."""
    clock = ManualClock()
    with pytest.raises(KafkaException) as refused:
        ask(Admin(COMING), clock)
    assert refused.value is COMING
    assert 5.0 < clock.monotonic() < 6.0


def test_any_other_refusal_is_raised_at_once() -> None:
    """Trying again would not change it."""
    admin, clock = Admin(DENIED, "found"), ManualClock()
    with pytest.raises(KafkaException):
        ask(admin, clock)
    assert (len(admin.asked), clock.monotonic()) == (1, 0.0)


def test_no_answer_is_an_outage() -> None:
    """Reported as something that may pass."""
    with pytest.raises(BrokerUnavailable, match="group g"):
        ask(Admin(TimeoutError()), ManualClock())
