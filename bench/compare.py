"""Compares the working tree with a revision by valgrind's count of instructions, where time is too noisy.

Each path runs at two sizes, and the difference counts, so that start-up falls out. Both trees do the work that this
tree's `delivery.py` describes, on the same pages, each with its own interpreter, dependencies and compiled core.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import NamedTuple

import httpx
from delivery import CONNECTION, connected

from connector import vendors
from connector.cms.vendor import Vendor
from connector.model.checkpoint import Position
from connector.simulator import Request, Simulator, connection

_ROOT = Path(__file__).resolve().parents[1]
_WAYS = {"python": "without the core", "core": "with the core"}
_SHOWN, _WITHOUT_CORE, _BYTECODE = "tree", "without-core", "bytecode"
_FEW, _MANY = 2, 12  # pages
_ENTRIES, _PER_PAGE = 1_500, 100  # more pages than that, whatever the vendor
_COUNTER = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
_COUNTED = re.compile(r"I +refs: +([\d,]+)")


class Tree(NamedTuple):
    """A checkout that is set up, and what to call it."""

    name: str
    path: Path


class Work(NamedTuple):
    """A vendor's pages, the way they are read, where all works are, and the items of the pages after the first few."""

    vendor: str
    way: str
    scratch: Path
    items: int

    @property
    def folder(self) -> Path:
        """Where the connection and the pages are."""
        return self.scratch / self.vendor


class UnableError(Exception):
    """A tree cannot do the work; the text says why."""


def responses(vendor: Vendor, simulator: Simulator) -> Iterator[tuple[bytes, int]]:
    """Yield the bodies of a snapshot with the number of their items."""
    position, caught_up = Position(), False
    while not caught_up:
        request = vendor.request(position)
        url, headers = request.url, dict(request.headers)
        answer = simulator.answer(Request(request.method, url.path, dict(url.params), headers, origin=vendor.base_url))
        frame = vendor.frame(httpx.Response(answer.status, content=answer.body), position)
        yield answer.body, len(frame.raws)
        position, caught_up = frame.position, frame.caught_up


def prepare(folder: Path, name: str, simulator: Simulator) -> int:
    """Write a vendor's connection and pages into a folder; return the number of items after the first few pages."""
    folder.mkdir()
    table = connection(name)
    (folder / CONNECTION).write_text(json.dumps(table), encoding="utf-8")
    made = list(islice(responses(connected(table), simulator), _MANY))
    for number, (body, _) in enumerate(made):
        (folder / f"{number:03d}.page").write_bytes(body)
    return sum(items for _, items in made[_FEW:])


def hide_core(folder: Path) -> None:
    """Make a folder that hides the compiled core where Python looks there first: a part of it serves either way."""
    folder.mkdir()
    (folder / "contentwire_core.py").write_text("raise ImportError", encoding="utf-8")


@contextlib.contextmanager
def checkout(revision: str) -> Iterator[Tree]:
    """Yield a revision, set up by its own `make setup` in a temporary folder; nothing of it is left afterwards."""
    git = ("git", "-C", str(_ROOT))
    commit = subprocess.check_output([*git, "rev-parse", "--verify", "--short", f"{revision}^{{commit}}"], text=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tree"
        subprocess.run([*git, "worktree", "add", "--quiet", "--detach", str(path), commit.strip()], check=True)
        try:
            # This tree's environment and make's own options are not for that one.
            ours = {"VIRTUAL_ENV", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"}
            theirs = {name: value for name, value in os.environ.items() if name not in ours}
            theirs["UV_PYTHON"] = platform.python_version()
            subprocess.run(["make", "setup"], cwd=path, env=theirs, check=True)
            yield Tree(commit.strip(), path)
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", str(path)], check=True)


def run(tree: Tree, work: Work, pages: int, under: tuple[str, ...] = ()) -> str:
    """Let the tree that `scratch` shows deliver the first pages; return what was said. Raises `UnableError`."""
    shown, script = work.scratch / _SHOWN, Path(__file__).with_name("delivery.py")
    [installed] = (shown / ".venv/lib").glob("python*/site-packages")
    core = work.scratch / _WITHOUT_CORE if work.way == "python" else shown / "core"
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "0",  # the order of a set, and so the work, depends on it
        "PYTHONPATH": os.pathsep.join(map(str, (core, shown, installed))),
        "PYTHONPYCACHEPREFIX": str(work.scratch / _BYTECODE),
    }
    # Without `site`, which would add the tree's own path.
    command = [*under, str(shown / ".venv/bin/python"), "-S", str(script), str(work.folder), work.way, str(pages)]
    done = subprocess.run(command, cwd=work.scratch, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise UnableError(f"{tree.name} cannot deliver {work.vendor} {_WAYS[work.way]}: {said[-1]}")
    return done.stderr


def able(tree: Tree, work: Work) -> bool:
    """Return whether a tree can do a work, and say why not; from now on, its bytecode is there."""
    try:
        run(tree, work, _MANY)
    except UnableError as error:
        print(error, file=sys.stderr, flush=True)
        return False
    return True


def count(tree: Tree, work: Work) -> float:
    """Return the instructions that one item takes."""

    def counted(pages: int) -> int:
        found = _COUNTED.search(run(tree, work, pages, _COUNTER))
        assert found
        return int(found[1].replace(",", ""))

    return (counted(_MANY) - counted(_FEW)) / work.items


def measure(tree: Tree, works: Iterable[Work], scratch: Path) -> dict[Work, float]:
    """Return the instructions per item of each work that a tree can do."""
    # Every tree is at the same path, its bytecode too: where strings lie in memory changes what is counted.
    shown = scratch / _SHOWN
    shown.unlink(missing_ok=True)
    shutil.rmtree(scratch / _BYTECODE, ignore_errors=True)
    shown.symlink_to(tree.path)
    possible = [work for work in works if able(tree, work)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(possible, pool.map(partial(count, tree), possible), strict=True))


def compared(revision: str) -> str:
    """Return a table of what an item of each vendor takes, each way that both trees know."""
    simulator = Simulator(entries=_ENTRIES, page_sizes=dict.fromkeys(vendors.names(), _PER_PAGE))
    with tempfile.TemporaryDirectory() as folder, checkout(revision) as other:
        scratch = Path(folder)
        hide_core(scratch / _WITHOUT_CORE)
        items = {name: prepare(scratch / name, name, simulator) for name in vendors.names()}
        works = [Work(name, way, scratch, items[name]) for name, way in product(items, _WAYS)]
        before = measure(other, works, scratch)
        now = measure(Tree("working tree", _ROOT), before, scratch)
    if not now:
        sys.exit(f"{other.name} differs too much from the working tree: there is nothing to compare")
    lines = [f"| instructions per item | {other.name} | working tree | ratio |", "|---|---|---|---|"]
    for work, instructions in now.items():
        ratio = instructions / before[work]
        lines.append(f"| {work.vendor} {_WAYS[work.way]} | {before[work]:,.0f} | {instructions:,.0f} | {ratio:.3f} |")
    return "\n".join(lines)


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", help="what to compare with: a commit, branch or tag")
    given = parser.parse_args()
    if not shutil.which(_COUNTER[0]):
        sys.exit("valgrind is missing: install your system's package of that name (Debian: apt-get install valgrind)")
    try:
        print(compared(given.revision))
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed: {shlex.join(error.cmd)}")


if __name__ == "__main__":
    _main()
