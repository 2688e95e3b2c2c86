"""What a failed test leaves behind to find out why: otherwise a broker's files are gone with it."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import IsolationLevel
from confluent_kafka.admin import AdminClient

from connector.devservers.broker import Kafka
from tests.faults.frames import transactions
from tests.faults.proof import Client, ends

Facts = Mapping[str, Callable[[], Any]]


@contextmanager
def kept(folder: Path, kafka: Kafka, facts: Facts) -> Iterator[None]:
    """If this fails, keep the broker's log, its view of transactions and partitions, its segments, and these facts."""
    try:
        yield
    except BaseException as failure:
        folder.mkdir()
        ours = {"transactions": lambda: transactions(kafka.bootstrap), "open": lambda: held_back(kafka)}
        for name, fact in {**ours, **facts}.items():
            (folder / f"{name}.json").write_text(json.dumps(_learnt(fact), indent=1))
        shutil.copy(kafka.log(), folder)
        shutil.copytree(kafka.log().parent / "data", folder / "data", ignore=_all_but_records)
        failure.add_note(f"evidence: {folder}")
        raise


def held_back(kafka: Kafka) -> dict[str, list[tuple[int, int]]]:
    """Return the topics with an open transaction: where each partition ends for read_committed, and in the log."""
    client: Client = kafka.client
    found: dict[str, list[tuple[int, int]]] = {}
    for topic in AdminClient(dict(client)).list_topics(timeout=10).topics:
        levels = IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED
        committed, written = (ends(client, topic, level) for level in levels)
        if committed != written:
            found[topic] = list(zip(committed, written, strict=True))
    return found


def _learnt(fact: Callable[[], Any]) -> Any:
    try:
        return fact()
    except Exception as unknown:  # noqa: BLE001  one missing fact must not hide the others
        return f"unknown: {unknown!r}"


def _all_but_records(folder: str, names: list[str]) -> list[str]:
    """Leave out what is large and can be derived."""
    return [name for name in names if Path(folder, name).is_file() and not name.endswith((".log", ".snapshot"))]
