"""Checks that Kafka and this machine allow what a run does: rights, open files, threads, temporary space."""

from collections.abc import Collection

from connector import limits
from connector.config.settings import Config
from connector.errors import BrokerFatal, LocalTrouble
from connector.kafka import connectivity, reader, state_topic, webhook_relay
from connector.kafka.cluster import Cluster
from connector.kafka.rights import Rights, check
from connector.kafka.topic_names import Layout, TopicSpec, group
from connector.wiring import ConfiguredStream

_SAMPLE = {"entity_type": "entry", "locale": "all"}


def of_process(stream: ConfiguredStream) -> str:
    """Return what a process that follows the stream may do. Raises `BrokerFatal` that names each missing right."""
    rights = _rights(stream)
    joined = group(stream.layout.prefix)
    named = (state_topic.GROUP, reader.GROUP, connectivity.GROUP)
    check([*rights.to_join(joined), *(lack for each in named for lack in rights.to_name(each))])
    return f"may join the group {joined}"


def of_handover(stream: ConfiguredStream) -> str:
    """Return by which topic webhook calls are handed on; raises as `of_process` does. A run can do without."""
    spec = webhook_relay.spec(stream.layout.prefix, stream.layout.replication_factor)
    check(_rights(stream).on_topics([spec]))
    return f"webhook calls can be handed on by {spec.name}"


def of_stream(stream: ConfiguredStream, cluster: Cluster, tables: Collection[str] = ()) -> str:
    """Return what may be done with a stream's topics and its transactional id; raises as `of_process` does.

    `tables`: those that the stream has, or will have. The transactional id is tested only while nobody follows it.
    """
    layout, rights = stream.layout, _rights(stream)
    present = cluster.topics()
    specs = [layout.state_spec(), layout.letters_spec()]
    sample = layout.topic.format(prefix=layout.prefix, connection=stream.name, **_SAMPLE)
    specs += map(layout.changes_spec, layout.changes_among(present) or [sample])
    specs += [layout.changes_spec(layout.table_topic(each)) for each in sorted(tables)]
    lacks = rights.on_topics(specs)
    followed = _followed(cluster, layout)
    if not followed:
        lacks += rights.on_transactions(layout.transactional_id, layout.transaction_timeout)
    check(lacks)
    return _summary(specs, present, followed=followed)


def of_machine(config: Config, cluster: Cluster) -> str:
    """Return what this machine allows a process. Raises `LocalTrouble` if that is not enough."""
    connections, brokers = len(config.connections), cluster.brokers()
    wanted, allowed = limits.needed(connections, brokers), limits.raise_descriptors()
    if allowed < wanted:
        raise LocalTrouble(
            f"a process may have {allowed} open files here, and following {connections} connections can take {wanted}",
            hint="raise the hard limit: ulimit -Hn, or LimitNOFILE= of the service",
        )
    threads, permitted = limits.needed_threads(connections, brokers), limits.threads()
    if permitted < threads:
        raise LocalTrouble(
            f"a process may have {permitted} threads here, and may need {threads}",
            hint="raise ulimit -u, TasksMax= of the service, or the container's process limit",
        )
    try:
        folder, free = limits.scratch()
    except OSError as error:
        raise LocalTrouble.of(error, "a temporary file") from error
    return f"{wanted} open files and {threads} threads are enough, and {folder} has {free >> 20} MiB free"


def _rights(stream: ConfiguredStream) -> Rights:
    return Rights(stream.client, clock=stream.clock)


def _followed(cluster: Cluster, layout: Layout) -> bool:
    """Return whether a process owns the stream; assume so if this account may not see the group."""
    try:
        return cluster.owned(group(layout.prefix), layout.state_topic)
    except BrokerFatal:
        return True


def _summary(specs: Collection[TopicSpec], present: Collection[str], *, followed: bool) -> str:
    summary = "may use its topics"
    if missing := [spec.name for spec in specs if spec.name not in present]:
        summary = f"may create {', '.join(missing)}; whether it may write to them is known only then"
    return f"{summary}; its transactional id is in use" if followed else f"{summary}, and its transactional id"
