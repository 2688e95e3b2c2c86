"""The modules that have no unit test of their own: why, and which test they have instead."""

from typing import NamedTuple


class Instead(NamedTuple):
    """Why a module has no unit test, and the file that tests what it does, where there is anything to test."""

    reason: str
    tests: str = ""


PROCESS = "it is the start of a process"

WITHOUT_A_UNIT_TEST = {
    "__main__.py": Instead(PROCESS, "tests/integration/test_command_line.py"),
    "cli/__main__.py": Instead(PROCESS, "tests/integration/test_command_line.py"),
    "cli/events.py": Instead("it hands options on to commands that read Kafka", "tests/integration/test_cli.py"),
}
