"""The modules that have no unit test of their own: why, and which tests they have instead."""

from typing import NamedTuple


class Instead(NamedTuple):
    """Why a module has no unit test, and the file that tests what it does, where there is anything to test."""

    reason: str
    tests: str = ""


PROCESS = "it is the start of a process"
HANDED_ON = "it hands options on to commands, whose answers come from Kafka"
CORE = "it hands on to the compiled core, which a property compares with Python"
KAFKA = "it only talks to Kafka"
SOCKETS = "it is threads and sockets"
NAMES = "it is names and types, without behaviour"

WITHOUT_A_UNIT_TEST = {
    "__main__.py": Instead(PROCESS, "tests/integration/test_command_line.py"),
    "cli/__main__.py": Instead(PROCESS, "tests/integration/test_command_line.py"),
    "cli/events.py": Instead(HANDED_ON, "tests/integration/test_cli.py"),
    "cli/setup.py": Instead(
        "it writes a file, or hands options on to what serves", "tests/integration/test_command_line.py"
    ),
    "cli/streams.py": Instead(HANDED_ON, "tests/integration/test_cli.py"),
    "cms/compiled.py": Instead(CORE, "tests/property/test_core.py"),
    "cms/lookahead.py": Instead("it is a thread", "tests/contract/test_lookahead.py"),
    "cms/network.py": Instead(SOCKETS, "tests/integration/test_network.py"),
    "cms/shape.py": Instead(NAMES),
    "commands/check_access.py": Instead(
        "it asks Kafka what it allows, and this machine", "tests/integration/test_rights.py"
    ),
    "commands/check_cms.py": Instead("it asks a CMS", "tests/integration/test_trial.py"),
    "commands/simulate.py": Instead("it serves until a signal ends it", "tests/integration/test_cli.py"),
    "commands/takeover.py": Instead(
        "it fences an owner; what it commits is `commands/edits`", "tests/integration/test_cli.py"
    ),
    "events/compiled.py": Instead(CORE, "tests/property/test_core.py"),
    "events/policy.py": Instead(NAMES),
    "events/table_rows.py": Instead(NAMES),
    "kafka/admin.py": Instead(KAFKA, "tests/integration/test_topics.py"),
    "kafka/connectivity.py": Instead(KAFKA, "tests/integration/test_handover.py"),
    "kafka/membership.py": Instead(KAFKA, "tests/integration/test_ownership.py"),
    "kafka/reader.py": Instead(KAFKA, "tests/integration/test_reader.py"),
    "kafka/routes.py": Instead(
        "it asks Kafka for topics and the registry for schemas", "tests/integration/test_topic_identity.py"
    ),
    "kafka/sharing.py": Instead("it is made of admin clients and locks", "tests/integration/test_rest.py"),
    "kafka/state_topic.py": Instead(KAFKA, "tests/integration/test_recovery.py"),
    "kafka/store.py": Instead(KAFKA, "tests/integration/test_topics.py"),
    "model/core.py": Instead(CORE, "tests/property/test_core.py"),
    "model/page.py": Instead(NAMES),
    "service/listener.py": Instead(SOCKETS, "tests/integration/test_listener.py"),
    "service/process.py": Instead("it is the threads of a process", "tests/integration/test_threads.py"),
    "simulator/server.py": Instead(SOCKETS, "tests/integration/test_simulator.py"),
    "simulator/value.py": Instead(NAMES),
    "stream/aside.py": Instead("it is a thread", "tests/integration/test_aside.py"),
    "stream/observer.py": Instead(NAMES),
    "stream/spec.py": Instead(NAMES),
    "tables/places.py": Instead("it is where rows find their columns", "tests/unit/tables/test_rows.py"),
    "tables/values.py": Instead("it is how rows find their values", "tests/unit/tables/test_rows.py"),
}
