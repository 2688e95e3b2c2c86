"""Busy streams beside each other: deltas beside a snapshot in one process, and snapshots divided between two."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

import stream
from figure import Figure
from page_server import PER_PAGE, hold, serve
from process import alone
from states import States
from streams import Fleet, current

from connector.simulator import Simulator
from connector.vendors import names

_WITHIN = 300.0
_SMALL = tuple(f"small-{vendor}-{number}" for vendor in names() for number in range(3))
_POLL = 0.5
_EDITS = 30
_BUSY = 8
_SETTLED = 15.0  # the longest until two processes have divided the streams


def beside(bootstrap: str, prefix: str, items: int) -> tuple[list[float], list[float]]:
    """Return the seconds from an edit until all small streams have committed it: alone, and beside a big snapshot."""
    pages = items // PER_PAGE
    with (
        tempfile.TemporaryDirectory() as folder,
        Simulator(entries=20).serving() as simulator,
        serve(items) as origin,
    ):
        fleet = Fleet(Path(folder), bootstrap, prefix)
        for name in _SMALL:
            vendor = name.split("-")[1]
            fleet.add(name, {**simulator.connection(vendor), "vendor": vendor, "poll_interval": _POLL})
        fleet.add("big", _walked(origin, pages))
        with (
            contextlib.closing(fleet.states(_SMALL)) as small,
            contextlib.closing(fleet.states(["big"])) as big,
            fleet.running(),
        ):
            for states in (small, big):
                states.until(current, _WITHIN)
            quiet = [_edited(simulator, small) for _ in range(_EDITS)]
            fleet.do("snapshot", "big")
            return quiet, [_edited(simulator, small) for _ in _taking(big)]


def _edited(simulator: Simulator, small: States) -> float:
    before = {checkpoint.stream: checkpoint.progress.sequence for checkpoint in small.last.values()}
    simulator.edit(simulator.ids()[0])
    return small.until(lambda last: last.progress.sequence > before[last.stream], _WITHIN)


def _taking(big: States) -> Iterator[None]:
    """Go on until the second snapshot of a stream is done."""
    while not all(current(last) and last.position.epoch > 1 for last in big.last.values()):
        yield
        big.read(0.0)


def _walked(origin: str, pages: int) -> dict[str, str | int]:
    return {
        "vendor": "contentful",
        "space": "bench",
        "environment": f"{pages}-0",
        "token": "bench-token",
        "base_url": origin,
        "page_size": PER_PAGE,
    }


def divided(bootstrap: str, prefix: str, items: int, processes: int) -> float:
    """Return the items a second of eight streams that take a snapshot of so many items each."""
    with tempfile.TemporaryDirectory() as folder, hold(items) as (origin, release):
        fleet = Fleet(Path(folder), bootstrap, prefix)
        for number in range(_BUSY):
            fleet.add(f"busy-{number}", _walked(origin, items // PER_PAGE))
        with contextlib.closing(fleet.states()) as states, contextlib.ExitStack() as running:
            for _ in range(processes):
                running.enter_context(fleet.running())
            time.sleep(_SETTLED)
            release()
            return _BUSY * items / states.until(current, _WITHIN)


def measure(bootstrap: str, items: int) -> list[Figure]:
    """Return how long a delta takes beside a snapshot, and what a second process adds."""
    with stream.prefix(bootstrap) as prefix:
        quiet, busy = alone(beside, bootstrap, prefix, items)
    speeds = []
    for processes in (1, 2):
        with stream.prefix(bootstrap) as prefix:
            speeds.append(alone(divided, bootstrap, prefix, items // 2, processes))
    name = "an edit beside a snapshot"
    without = "without the snapshot"
    return [
        Figure(f"{name}: p95", _p95(busy), "s", _p95(quiet), without),
        Figure(f"{name}: longest", max(busy), "s", max(quiet), without),
        Figure(f"{_BUSY} busy streams in two processes", speeds[1], "items/s", speeds[0], "in one process"),
    ]


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1]
