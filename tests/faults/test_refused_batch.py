"""If a transaction commits, a batch that the broker refused at first is in the topic."""

from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, Producer

from tests.faults.conftest import Deploy
from tests.faults.proxy import Proxy, Refusal

ONE = "contentful"
REFUSED = KafkaError.NOT_ENOUGH_REPLICAS  # temporary, and nothing was written: the client sends the batch again
ANOTHER_TOO = {"max.in.flight.requests.per.connection": 5}  # the client's own default


class RefusedProducer:
    """The real producer; the topic's first record is a separate batch, refused before the others are delivered.

    It is refused as soon as another batch is on its way behind it, or when none has come for a second.
    """

    def __init__(self, producer: Producer, refusal: Refusal, topic: str) -> None:
        self._producer, self._refusal, self._topic = producer, refusal, topic
        self._answered = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def produce(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """Hand over a record; the first one is in flight when this returns."""
        self._producer.produce(topic, *args, **kwargs)
        if topic == self._topic:
            assert self._refusal.caught.wait(10)

    def flush(self, timeout: float) -> int:
        """Have everything delivered, except what is refused."""
        if self._refusal.caught.is_set() and not self._answered:
            self._refusal.followed.wait(1)
            self._refusal.answer()
            self._answered = True
        return self._producer.flush(timeout)


def refused(refusal: Refusal, topic: str, **settings: Any) -> Callable[..., Any]:
    """Return a factory of producers whose first batch is refused, with other settings than ours."""
    return lambda ours, **kwargs: RefusedProducer(Producer({**ours, **settings}, **kwargs), refusal, topic)


def test_refused_batch_is_sent_again_within_its_transaction(proxied: Deploy, proxy: Proxy) -> None:
    """No other batch of the partition is in flight until a refused one is answered: none can be mistaken for it."""
    with proxied(vendors=(ONE,), kafka={"partitions": 1}) as deployment:
        refusal = proxy.refuse(deployment.topic(ONE), REFUSED)
        deployment.follow(producer=refused(refusal, deployment.topic(ONE)))
        deployment.prove()
        assert refusal.caught.is_set()
        assert not refusal.followed.is_set()


def test_batch_that_only_a_later_one_acknowledged_is_published_again(proxied: Deploy, proxy: Proxy) -> None:
    """With several requests in flight, the client reports the refused batch as delivered: nothing of it is committed.

    The broker takes the batch behind it, as it has never heard of this producer in the new partition.
    """
    with proxied(vendors=(ONE,), kafka={"partitions": 1}) as deployment:
        refusal = proxy.refuse(deployment.topic(ONE), REFUSED)
        deployment.follow(producer=refused(refusal, deployment.topic(ONE), **ANOTHER_TOO))
        deployment.prove()
        assert refusal.followed.is_set()
