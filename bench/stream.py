"""The stream under test: configured and wired as in the process, on topics that are removed afterwards."""

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from typing import NamedTuple

from confluent_kafka.admin import AdminClient
from pydantic import SecretStr

from connector.cms.source import Transport
from connector.config.settings import Config, Connection, KafkaConfig
from connector.events.record import Batch
from connector.kafka.store import KafkaStore
from connector.kafka.topic_names import Layout
from connector.stream.publisher import Publisher
from connector.stream.runner import Bounds, Runner
from connector.vendors.contentful import ContentfulSettings
from connector.wiring import ConfiguredStream

_NAME = "bench"


class Stream(NamedTuple):
    """A recovered publisher and its runner."""

    publisher: Publisher
    runner: Runner


def config(bootstrap: str, prefix: str, origin: str, environment: str = "master") -> Config:
    """Return the configuration of one connection to `origin`."""
    settings = ContentfulSettings(
        token=SecretStr("t"), space="bench", environment=environment, base_url=origin, page_size=1000
    )
    connection = Connection(name=_NAME, vendor="contentful", settings=settings)
    kafka = KafkaConfig(bootstrap_servers=bootstrap, prefix=prefix)
    return Config(kafka=kafka, connections={_NAME: connection})


def layout(settings: Config) -> Layout:
    """Return the stream's topics."""
    return ConfiguredStream(settings, _NAME).layout


def follow(
    settings: Config,
    store: KafkaStore | None = None,
    *,
    committed: Callable[[Batch], None] = lambda _: None,
    transport: Transport | None = None,
) -> Stream:
    """Return the stream, ready for its first pass; `store` and `transport` replace Kafka and the network."""
    stream, kafka = ConfiguredStream(settings, _NAME), settings.kafka
    publisher = stream.publisher(store or stream.store(), lambda batch, *_: committed(batch))
    publisher.recover()
    bounds = Bounds(kafka.commit_items, kafka.commit_bytes, kafka.commit_interval)
    return Stream(publisher, Runner(stream.source(transport=transport), publisher, bounds, stream.clock))


@contextlib.contextmanager
def prefix(bootstrap: str) -> Iterator[str]:
    """Yield an unused prefix; its topics, which are large, are deleted at the end."""
    chosen = f"bench-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    try:
        yield chosen
    finally:
        admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 4})
        mine = [name for name in admin.list_topics(timeout=30).topics if name.startswith(f"{chosen}.")]
        if mine:
            for deleted in admin.delete_topics(mine, operation_timeout=30).values():
                deleted.result(30)
