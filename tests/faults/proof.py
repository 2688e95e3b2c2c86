"""What a broker holds of a stream, proved against the CMS's own account as in the demo."""

from collections.abc import Mapping

from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec
from msgspec.structs import replace

from connector.demo import proof
from connector.demo.ledger import Ledger, Received
from tests.cms import assert_holds
from tests.consumer import consume
from tests.published import received

Client = Mapping[str, str]

_TIMEOUT = 20


def prove(client: Client, topic: str, ledger: Ledger, *, cut_short: bool = False) -> list[Received]:
    """Assert that the topic holds every change exactly once, in sequence, and the CMS's state; return its records.

    `cut_short`: the initial sync ended early, and the rest of it came as a delta.
    """
    assert_nothing_is_open(client, topic)
    records = read(client, topic)
    account = replace(ledger.account(), cut_short=cut_short)
    assert_holds(*proof.prove(records, account))
    return records


def assert_nothing_is_open(client: Client, topic: str) -> None:
    """Assert that no transaction is left open: it would hide everything behind it from consumers."""
    assert ends(client, topic, IsolationLevel.READ_COMMITTED) == ends(client, topic, IsolationLevel.READ_UNCOMMITTED)


def read(client: Client, topic: str, isolation: str = "read_committed") -> list[Received]:
    """Return everything that the topic holds now, partition by partition, each in its order."""
    return received(consume(client, topic, isolation))


def ends(client: Client, topic: str, isolation: IsolationLevel) -> list[int]:
    """Return where each partition ends for a reader of that isolation level."""
    admin = AdminClient(dict(client))
    partitions = admin.list_topics(timeout=_TIMEOUT).topics[topic].partitions
    wanted = {TopicPartition(topic, each): OffsetSpec.latest() for each in partitions}  # type: ignore[no-untyped-call]
    futures = admin.list_offsets(wanted, isolation_level=isolation)
    return [future.result(_TIMEOUT).offset for _, future in sorted(futures.items(), key=lambda item: item[0].partition)]
