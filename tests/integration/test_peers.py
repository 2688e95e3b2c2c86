"""Processes of one group with differing configurations, on the real broker."""

import signal
from pathlib import Path

import pytest

from connector.devservers.broker import Broker
from connector.simulator import Simulator
from tests.cms import eventually
from tests.command import following


@pytest.mark.timeout(120)
def test_a_process_with_another_configuration_is_reported(tmp_path: Path, kafka: Broker, prefix: str) -> None:
    """`status` names each process that differs from its own file."""
    with Simulator(entries=20).serving() as simulator:
        places = []
        for name in ("one", "two"):
            folder = tmp_path / name
            folder.mkdir()
            names = ("contentful", "weegloo")
            places.append(following(folder, simulator, names, bootstrap=kafka.bootstrap, prefix=prefix))
        one, two = places
        assert "another configuration" not in one.run("status").err
        two.edit(r"\Z", 'entity_types = ["entry"]\n')
        with one.start("run") as first, two.start("run") as second:
            pid = second.child.pid
            eventually(lambda: f"-{pid}-" in one.run("status").err)
            status = one.run("status")
            assert "follows another configuration than this one" in status.err
            assert f"-{first.child.pid}-" not in status.err
            assert status.code == 0
            first.ends(signal.SIGTERM)
            second.ends(signal.SIGTERM)
