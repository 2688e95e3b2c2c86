"""Every value that the configuration accepts works: each setting at both ends of its range, on a real broker."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le
from pydantic import BaseModel

from connector import vendors
from connector.config.settings import Connection, KafkaConfig
from connector.devservers.broker import Broker
from connector.simulator import Simulator
from tests.cms import paged
from tests.command import following

# What one broker on loopback does not support: a large cluster's partition counts, and more replicas than brokers.
CLUSTER = {"partitions": 100, "replication_factor": 1}
OPEN = 0.001  # of a range that ends above 0
# A stream that never takes a snapshot needs a cursor from elsewhere: other tests cover it.
ELSEWHERE = {"never"}
ROUNDS = 3


@pytest.mark.parametrize("nth", range(ROUNDS), ids=["lowest", "highest", "every other choice"])
def test_the_ends_of_every_range_work(
    tmp_path: Path, simulator: Simulator, kafka: Broker, prefix: str, nth: int
) -> None:
    """With all settings at one end, `check` finds no fault, and a run follows every vendor until it is current."""
    names = sorted(vendors.names())
    lines = "\n".join(setting_lines(KafkaConfig, nth))
    workplace = following(tmp_path, simulator, names, bootstrap=kafka.bootstrap, prefix=prefix, kafka=lines)
    for name in names:
        own = setting_lines(vendors.find(name).settings_type, nth, choices=False)
        if not paged(name, 1):
            own = (line for line in own if not line.startswith("page_size"))
        settings = "\n".join([*setting_lines(Connection, nth), *own])
        workplace.edit(rf'vendor = "{name}"\npoll_interval = 0.1', f'vendor = "{name}"\n{settings}')
    failed = [each for each in json.loads(workplace.run("check", "--json").out) if each["verdict"] == "failed"]
    assert failed == []
    ended = workplace.run("run", "--until-caught-up", "--log-level", "error")
    assert (ended.code, ended.err) == (0, "")


def setting_lines(model: type[BaseModel], nth: int, *, choices: bool = True) -> Iterator[str]:
    """Yield a line for each setting that has a range or choices: its nth end, or its nth choice."""
    for name, field in model.model_fields.items():
        value = _choice(field.annotation, nth) if choices else None
        if value is None:
            value = _end(field.metadata, nth)
        if name in CLUSTER and nth:
            value = CLUSTER[name]
        if value is not None:
            yield f"{field.alias or name} = {json.dumps(value)}"


def _choice(annotation: Any, nth: int) -> object:
    if annotation is bool:
        return nth % 2 == 0
    if get_origin(annotation) is Literal:
        choices = [each for each in get_args(annotation) if each not in ELSEWHERE]
        return choices[nth % len(choices)]
    return None


def _end(metadata: Iterable[Any], nth: int) -> Any:
    """Return the lowest or highest value of a range, or None if it has no such end."""
    bounds: list[Any] = [*metadata]
    bounds += [inner for each in bounds if hasattr(each, "metadata") for inner in each.metadata]
    ends = {type(each): getattr(each, type(each).__name__.lower()) for each in bounds if isinstance(each, Ge | Gt | Le)}
    if nth:
        return ends.get(Le)
    return ends[Ge] if Ge in ends else ends[Gt] + OPEN if Gt in ends else None
