"""Apache Iceberg in Kafka Connect: every event of the changes topic is a row, and the newest ones are the CMS."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from confluent_kafka.admin import AdminClient
from pyiceberg.table import StaticTable

from connector.devservers.broker import Broker
from connector.simulator import Simulator
from tests import java, topics
from tests.consumer import consume
from tests.sinks.connect import CONVERTER, Worker
from tests.sinks.recipe import block, properties, unequal
from tests.stage import VENDOR, Stage

pytestmark = pytest.mark.sinks

_BUNDLE = "iceberg-connect-1.12.0"
_HEADING = "Iceberg sink"


@pytest.fixture(name="stage")
def _stage(kafka: Broker, registry: str, prefix: str, tmp_path: Path) -> Iterator[Stage]:
    with Simulator(seed=11, entries=60, content_types=20).serving() as cms:
        stage = Stage(tmp_path, cms, kafka, registry, prefix)
        stage.publish()
        yield stage


def settings(stage: Stage, control: str) -> dict[str, str]:
    """Return the settings of the recipe, for a catalog that is a folder and is written to every second."""
    prefix = stage.variables["PREFIX"]
    addresses = {
        "http://registry:8080": stage.variables["REGISTRY"].removesuffix("/apis/ccompat/v7"),
        "contentwire.blog": f"{prefix}.{VENDOR}",
        "control-iceberg": control,
    }
    ours = {
        "iceberg.catalog.type": "hadoop",
        "iceberg.catalog.warehouse": (stage.folder / "warehouse").as_uri(),
        "iceberg.control.commit.interval-ms": "1000",
    }
    common = properties("Kafka Connect", "io.apicurio", addresses)
    common |= properties("Kafka Connect", "consumer.override", addresses)
    return {**common, **properties(_HEADING, "IcebergSinkConnector", addresses), **ours}


def table(stage: Stage) -> Any:
    """Return the table's rows as they are now, for Arrow; None before there is one."""
    metadata = stage.folder / "warehouse" / "cms" / "blog_changes" / "metadata"
    versions = sorted(metadata.glob("v*.metadata.json"), key=lambda path: int(path.name[1:].partition(".")[0]))
    return StaticTable.from_metadata(versions[-1].as_uri()).scan().to_arrow() if versions else None


def test_the_changes_topic_is_a_history(stage: Stage, kafka: Broker) -> None:
    """Each event once; the document's query gives what the CMS delivers."""
    control = f"{stage.variables['PREFIX']}-control"
    topics.create(AdminClient(dict(kafka.client)), control, 1)
    plugins = {name: java.fetched(bundle)[0].parent for name, bundle in (("iceberg", _BUNDLE), ("avro", CONVERTER))}
    with Worker(stage.folder, kafka.bootstrap, {"iceberg": settings(stage, control)}, plugins) as worker:
        stage.edit()
        stage.publish()
        records = consume(kafka.client, f"{stage.variables['PREFIX']}.{VENDOR}.changes")
        events = sum(record.value is not None for record in records)
        deadline = time.monotonic() + 90
        while (found := table(stage)) is None or found.num_rows < events:
            assert not worker.failed, worker.log()
            assert time.monotonic() < deadline, worker.log()
            time.sleep(0.2)
    assert found.num_rows == events
    lake = duckdb.connect()
    lake.register("blog_changes", found)
    asked = lake.sql(block(_HEADING, "QUALIFY", {}))
    rows = [dict(zip(asked.columns, row, strict=True)) for row in asked.fetchall()]
    assert unequal(rows, stage.cms.truth(VENDOR)) == []
