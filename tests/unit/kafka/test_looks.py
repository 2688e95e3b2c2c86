"""One request a round for all who look again and again."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext

import pytest

from connector.kafka.looks import Round
from connector.testing import ManualClock


class Cluster:
    """Answers with a number that grows; `refused` names are refused, `silent` refuses every request."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []
        self.refused: set[str] = set()
        self.silent = False

    def __call__(self, _client: object, names: Sequence[str]) -> Mapping[str, Future[int]]:
        """Answer for all names."""
        self.requests.append([*names])
        if self.silent:
            raise OSError("no broker")
        answers: dict[str, Future[int]] = {name: Future() for name in names}
        for name, answer in answers.items():
            if name in self.refused:
                answer.set_exception(OSError("refused"))
            else:
                answer.set_result(len(self.requests))
        return answers


def looking() -> tuple[Cluster, ManualClock, Round[int]]:
    """Return a cluster, a clock and the round."""
    cluster, clock = Cluster(), ManualClock()
    return cluster, clock, Round(lambda: nullcontext(cluster), cluster, lambda found: found, clock)


def test_all_who_look_are_served_by_one_request() -> None:
    """For as long as an answer is fresh."""
    cluster, clock, looks = looking()
    names = ["a", "b", "c"]
    assert [looks.answer(name) for name in names] == [None] * 3
    assert {looks.answer(name) for name in names} == {1}
    clock.wait(2)
    assert {looks.answer(name) for name in names} == {1}
    clock.wait(1)
    assert {looks.answer(name) for name in names} == {2}
    assert cluster.requests == [names] * 2


def test_whoever_begins_asks_alone() -> None:
    """Thousands of streams that begin are not each a round of their own; those that go on are not held up."""
    cluster, clock, looks = looking()
    assert [looks.answer(f"stream-{number}") for number in range(1000)] == [None] * 1000
    assert cluster.requests == []
    clock.wait(5)
    assert looks.answer("stream-7") == 1
    assert [len(names) for names in cluster.requests] == [500, 500]


def test_an_answer_is_never_older_than_a_few_seconds() -> None:
    """Whoever asks after that gets a new one."""
    cluster, clock, looks = looking()
    looks.answer("a")
    for number in range(1, 5):
        assert looks.answer("a") == number
        clock.wait(2.5)
    assert len(cluster.requests) == 4


def test_a_refusal_concerns_only_what_is_refused() -> None:
    """It is asked for alone, by whoever needs it."""
    cluster, _, looks = looking()
    cluster.refused = {"b"}
    for name in ("a", "b"):
        looks.answer(name)
    assert [looks.answer(name) for name in ("a", "b", "a")] == [1, None, 1]


def test_a_broker_that_is_gone_gives_no_answer_and_is_not_asked_for_each_stream() -> None:
    """No old answer stands in for one that did not come."""
    cluster, clock, looks = looking()
    for name in ("a", "b"):
        looks.answer(name)
    assert looks.answer("a") == 1
    cluster.silent = True
    clock.wait(3)
    assert [looks.answer(name) for name in ("a", "b", "a")] == [None, None, None]
    assert len(cluster.requests) == 2
    cluster.silent = False
    clock.wait(3)
    assert looks.answer("a") == 3


def test_what_nobody_looks_at_any_longer_is_not_asked_for() -> None:
    """A stream that was handed over, or a topic that is gone."""
    cluster, clock, looks = looking()
    for name in ("a", "b", "a"):
        looks.answer(name)
    clock.wait(61)
    for _ in range(2):
        looks.answer("b")
    assert cluster.requests == [["a", "b"], ["b"]]


@pytest.mark.parametrize("streams", [5, 50])
def test_a_minute_takes_as_many_requests_for_few_streams_as_for_many(streams: int) -> None:
    """One each 2.5 seconds, in which all are asked for, however often and in whichever order they look."""
    cluster, clock, looks = looking()
    names = [f"stream-{number}" for number in range(streams)]
    for name in names:
        looks.answer(name)
    for step in range(2 * 60):
        for name in names[step % streams :] + names[: step % streams]:
            assert looks.answer(name)
        clock.wait(0.5)
    assert cluster.requests == [names] * round(60 / 2.5)


def test_streams_that_look_one_after_the_other_share_a_request_too() -> None:
    """Each looks every five seconds, at its own moment: the broker is asked no more often than if all did at once."""
    cluster, clock, looks = looking()
    names = [f"stream-{number}" for number in range(50)]
    for name in names:
        looks.answer(name)
    for step in range(60 * 10):
        assert looks.answer(names[step % 50])
        clock.wait(0.1)
    assert len(cluster.requests) <= 60 / 2.5


def test_a_client_that_answers_nothing_is_given_back_with_an_error() -> None:
    """It may keep to a broker that is gone, and is replaced then. One name that is refused is no sign of that."""
    given_back: list[bool] = []

    @contextmanager
    def lent() -> Iterator[object]:
        try:
            yield cluster
        except OSError:
            given_back.append(False)
            raise
        given_back.append(True)

    cluster, clock = Cluster(), ManualClock()
    looks = Round(lent, cluster, lambda found: found, clock)
    for cluster.refused in (set(), {"a"}, {"a", "b"}):
        clock.wait(3)
        for name in "ab":
            looks.answer(name)
    clock.wait(3)
    cluster.silent = True
    assert looks.answer("a") is None
    assert given_back == [True, False, False]
