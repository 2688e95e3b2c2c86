"""Runs every benchmark: a Markdown table on stdout, the same figures as JSON and as a picture in `bench/results/`."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import cpu
import latency
import neighbours
import picture
import recovery
import snapshot
import streams
from figure import Figure, table
from process import alone

from connector.devservers.broker import find_or_start

_RESULTS = Path(__file__).parent / "results"
_NAMES = ("cpu", "snapshot", "recovery", "latency", "streams", "neighbours")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("only", nargs="*", metavar="NAME", help=f"run only these: {', '.join(_NAMES)}")
    parser.add_argument("--items", type=int, default=100_000, help="items of a snapshot")
    parser.add_argument("--entities", type=int, default=1_000_000, help="index records of a recovery")
    parser.add_argument("--edits", type=int, default=200, help="edits whose latency is measured")
    parser.add_argument("--delay", type=int, default=200, help="milliseconds per page in the slow walk")
    parser.add_argument("--streams", type=int, nargs="+", default=[50, 200], help="how many streams in one process")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of alternating runs")
    given = parser.parse_args()
    if unknown := set(given.only) - set(_NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    return given


def _benchmarks(given: argparse.Namespace, bootstrap: str) -> dict[str, Callable[[], list[Figure]]]:
    return {
        "cpu": partial(alone, cpu.measure, min(given.items, 20_000), given.rounds),
        "snapshot": partial(snapshot.measure, bootstrap, given.items, given.rounds, given.delay),
        "recovery": partial(recovery.measure, bootstrap, given.entities, given.rounds),
        "latency": partial(alone, latency.measure, bootstrap, given.edits),
        "streams": partial(streams.measure, bootstrap, tuple(given.streams)),
        "neighbours": partial(neighbours.measure, bootstrap, given.items),
    }


def _load() -> str:
    return "{:.1f} {:.1f} {:.1f}".format(*os.getloadavg())


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run(benchmarks: Iterable[tuple[str, Callable[[], list[Figure]]]]) -> list[Figure]:
    figures = []
    for name, benchmark in benchmarks:
        begin = time.perf_counter()
        figures += benchmark()
        _tell(f"{name}: {time.perf_counter() - begin:.0f} s, load average {_load()}")
    return figures


def _main() -> None:
    given, load = _arguments(), _load()
    with find_or_start(os.environ, brief=False) as broker:
        benchmarks = _benchmarks(given, broker.bootstrap)
        figures = _run((name, benchmarks[name]) for name in given.only or _NAMES)
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    print(table(figures))
    print(f"\n{machine}; load average {load} before, {_load()} after")
    _RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    record = {
        "at": now.isoformat(timespec="seconds"),
        "machine": machine,
        "load_before": load,
        "parameters": vars(given),
        "figures": [one._asdict() | {"ratio": one.ratio} for one in figures],
    }
    saved = _RESULTS / f"{now:%Y%m%dT%H%M%SZ}.json"
    saved.write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf-8")
    saved.with_suffix(".svg").write_text(picture.draw(record), encoding="utf-8")
    _tell(f"saved {saved} and its picture")


if __name__ == "__main__":
    _main()
