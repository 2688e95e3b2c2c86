"""Measurements in a separate process: nothing is warm from, or held by, what ran before. Linux only."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def alone(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Return what `function` returns in a new process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def status(pid: int | str = "self") -> dict[str, str]:
    """Return what Linux says of a process, by name."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return dict(line.split(":", 1) for line in lines)


def peak_megabytes() -> float:
    """Return the largest resident size that this process ever had."""
    # Not getrusage: its maximum is inherited from the parent.
    return int(status()["VmHWM"].split()[0]) / 1024
