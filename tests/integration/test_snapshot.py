"""`contentwire snapshot` of a part: a whole new walk on a running stream that republishes what was selected."""

import signal
from pathlib import Path
from typing import Any

import pytest

from connector.devservers.broker import Broker
from connector.simulator import Simulator
from tests.command import Workplace, following

ALL = ("--from-beginning", "--until-end", "--json")


def later(workplace: Workplace, after: int) -> list[Any]:
    """Return the events after a sequence number."""
    entries = workplace.lines("tail", "contentstack", *ALL)
    return [each for each in entries if each["value"] and each["value"]["source"]["sequence"] > after]


@pytest.mark.timeout(120)
def test_a_part_is_republished_and_everything_is_reconciled(tmp_path: Path, kafka: Broker, prefix: str) -> None:
    """By type and by id, as `u` without a change; the rest is untouched."""
    with Simulator(entries=40, page_sizes={"contentstack": 10}).serving() as simulator:
        names = ("contentstack",)
        workplace = following(tmp_path, simulator, names, bootstrap=kafka.bootstrap, prefix=prefix)
        with workplace.start("run") as run:
            first = workplace.reached("contentstack", epoch=1)
            author, post = simulator.ids(content_type="author"), simulator.ids(content_type="blogPost")[0]
            answer = workplace.run("snapshot", "contentstack", "--content-type", "author", "--entity", post)
            assert "a new snapshot is due" in answer.out
            again = workplace.reached("contentstack", epoch=2)
            run.ends(signal.SIGTERM)
        events = later(workplace, first["sequence"])
        assert {each["key"]["id"] for each in events} == {*author, post}
        assert {each["value"]["op"] for each in events} == {"u"}
        assert again["request"] is None
        assert workplace.run("verify", "contentstack").code == 0
