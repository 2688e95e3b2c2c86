"""Whatever the network does to a commit, it becomes visible completely or not at all, and once."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer

from connector.clock import SYSTEM
from connector.devservers.broker import Broker
from connector.errors import UnknownOutcome
from connector.kafka.topic_names import Layout
from connector.kafka.topics import Topics
from connector.kafka.transaction import Transactions, _CoordinatorLog
from tests.faults import proof
from tests.faults.conftest import Deploy
from tests.faults.deployment import Deployment, everyday
from tests.faults.proxy import Api, Moment, Proxy, Trap

ONE = ("contentful",)


class ReleasingProducer:
    """The real producer; during the first transaction after the trap was sprung, it lets the late request arrive."""

    def __init__(self, producer: Producer, trap: Trap) -> None:
        self._producer, self._trap = producer, trap
        self._late = False
        self._produced = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def begin_transaction(self) -> None:
        """Begin; a request caught by now belongs to an earlier transaction."""
        self._late = self._trap.sprung.is_set()
        self._produced = 0
        self._producer.begin_transaction()

    def produce(self, *args: Any, **kwargs: Any) -> None:
        """Hand over a record; after the fifth, have them all delivered and then the late request answered."""
        self._producer.produce(*args, **kwargs)
        self._produced += 1
        if self._late and self._produced == 5 and not self._trap.reply.is_set():
            self._producer.flush(10)
            self._trap.release()
            assert self._trap.reply.wait(10)


def releasing(trap: Trap) -> Callable[..., Any]:
    """Return a factory of producers that release what the trap holds."""
    return lambda *args, **kwargs: ReleasingProducer(Producer(*args, **kwargs), trap)


def delta_with_a_late_commit(deployment: Deployment, proxy: Proxy) -> None:
    """Publish a delta whose first commit is held and cut, succeeds on an internal retry, and arrives late."""
    deployment.follow()
    deployment.change(everyday)
    trap = proxy.hold(Api.END_TXN)
    trap.then(trap.cut)
    deployment.follow(producer=releasing(trap))
    assert trap.reply.is_set(), "the late request never arrived"


def test_late_commit_request_never_commits_half_of_the_next_transaction(proxied: Deploy, proxy: Proxy) -> None:
    """A commit whose connection was lost is not trusted even if it reports success: its producer is abandoned.

    The lost request arrives during the next transaction, and is refused as a former owner's.
    """
    with proxied(vendors=ONE) as deployment:
        delta_with_a_late_commit(deployment, proxy)
        deployment.prove()


@pytest.mark.faults  # the late request has to win a race, which it does not always do
def test_late_commit_request_would_do_so_if_the_report_were_trusted(
    proxied: Deploy, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hazard is real: without a look at the client's log, half a transaction is seen and then published again."""
    monkeypatch.setattr(_CoordinatorLog, "_notice", lambda *_: False)
    with proxied(vendors=ONE) as deployment:
        delta_with_a_late_commit(deployment, proxy)
        records = proof.read(deployment.client, deployment.topic(ONE[0]))
        ids = Counter(record.event["event_id"] for record in records if record.event)
        assert [count for count in ids.values() if count > 1]


def test_commit_request_held_past_the_timeout_is_refused_later(proxied: Deploy, proxy: Proxy) -> None:
    """The last commit of a delta gets no answer: it is repeated, and its first request, arriving then, does nothing."""
    with proxied(vendors=ONE, kafka={"transaction_timeout": 5}) as deployment:
        deployment.follow()
        deployment.change(everyday)
        trap = proxy.hold(Api.END_TXN, 2)
        deployment.follow(producer=releasing(trap))
        assert trap.reply.is_set(), "the late request never arrived"
        deployment.prove()


@pytest.mark.alone
@pytest.mark.parametrize("api", [Api.END_TXN, pytest.param(Api.PRODUCE, marks=pytest.mark.faults)])
def test_transaction_without_a_broker_is_given_up_in_time(
    own_broker: Broker, proxy: Proxy, prefix: str, api: Api
) -> None:
    """Nothing gets through from a request on: the outcome is unknown, and reported as such soon after the timeout."""
    layout = Layout(prefix=prefix, connection="any")
    Topics(own_broker.client, SYSTEM).ensure(layout.state_spec())
    client = {"bootstrap.servers": proxy.bootstrap}
    transactions = Transactions(client, prefix, timeout=5, max_message_bytes=1_000_000, clock=SYSTEM)
    transactions.fence(30)
    proxy.hold(api).then(proxy.partition)
    begun_at = time.monotonic()
    with pytest.raises(UnknownOutcome):
        transactions.commit([], layout.state_topic, [(b"key", b"value")])
    transactions.close()
    assert time.monotonic() - begun_at < 5 * 2 + 3


CUTS = [
    Moment(api, answered, delta)
    for api in (Api.END_TXN, Api.PRODUCE, Api.ADD_PARTITIONS_TO_TXN, Api.INIT_PRODUCER_ID)
    for answered in (False, True)
    for delta in (False, True)
]
REPRESENTATIVE = {Moment(Api.END_TXN, answered=True, delta=True), Moment(Api.PRODUCE, answered=True, delta=False)}


@pytest.mark.parametrize(
    "cut", [pytest.param(cut, id=str(cut), marks=() if cut in REPRESENTATIVE else pytest.mark.faults) for cut in CUTS]
)
def test_connection_cut_at_a_request_loses_and_repeats_nothing(proxied: Deploy, proxy: Proxy, cut: Moment) -> None:
    """All connections break at once, and every request in flight is lost, or its answer."""
    with proxied() as deployment:
        if cut.delta:
            deployment.follow()
            deployment.change(everyday)
        trap = (proxy.hold_answer if cut.answered else proxy.hold)(cut.api, 2)
        trap.then(proxy.cut)
        deployment.follow()
        assert trap.sprung.is_set()
        deployment.prove()


def test_owner_killed_while_its_commit_is_answered_published_once(proxied: Deploy, proxy: Proxy) -> None:
    """The broker has committed, the owner dies before it learns of it: its successor continues after the commit."""
    with proxied(vendors=ONE) as deployment:
        deployment.follow()
        deployment.change(everyday)
        trap = proxy.hold_answer(Api.END_TXN)
        owner = deployment.spawn()
        assert trap.sprung.wait(30), owner.tail(40)
        owner.kill()
        deployment.follow()
        deployment.prove()


def test_commit_request_of_a_dead_owner_arrives_during_its_successors_transaction(
    proxied: Deploy, proxy: Proxy
) -> None:
    """The owner dies right after requesting a commit; the request arrives late, and must not commit for another."""
    with proxied(vendors=ONE) as deployment:
        deployment.follow()
        deployment.change(everyday)
        trap = proxy.hold(Api.END_TXN)
        owner = deployment.spawn()
        assert trap.sprung.wait(30), owner.tail(40)
        owner.kill()
        deployment.follow(producer=releasing(trap))
        assert trap.reply.is_set(), "the late request never arrived"
        deployment.prove()


@pytest.mark.parametrize("seconds", [7, pytest.param(30, marks=pytest.mark.faults)], ids=["7 seconds", "30 seconds"])
def test_partition_during_a_transaction_loses_and_repeats_nothing(proxied: Deploy, proxy: Proxy, seconds: int) -> None:
    """Nothing gets through for longer than a transaction may take; then the streams continue by themselves."""
    with proxied(kafka={"transaction_timeout": 5}) as deployment:
        deployment.follow()
        deployment.change(everyday)
        trap = proxy.hold(Api.PRODUCE, 3)
        trap.then(proxy.partition)
        trap.release()
        healing = threading.Timer(seconds, proxy.heal)
        healing.start()
        deployment.follow()
        healing.join()
        assert trap.sprung.is_set()
        deployment.prove()


@pytest.mark.faults
def test_slow_broker_loses_and_repeats_nothing(proxied: Deploy, proxy: Proxy) -> None:
    """Each request and each answer takes a tenth of a second."""
    with proxied() as deployment:
        proxy.delay = 0.05
        deployment.follow()
        deployment.change(everyday)
        deployment.follow()
        deployment.prove()
