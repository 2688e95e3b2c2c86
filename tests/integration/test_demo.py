"""The demo as users run it: it succeeds, says so only if it does, and leaves nothing behind however it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from connector.demo import live
from connector.devservers.broker import Broker
from connector.errors import ConnectorError
from connector.kafka.registry import Registry

_REPOSITORY = Path(__file__).parents[2]
_DEMO = (sys.executable, "-m", "connector.cli", "demo")
_PATIENCE = 120

# Runs the real connector, and removes a row of its topic, which nobody may do.
_VANDAL = """
import subprocess, sys, tomllib
from confluent_kafka import Consumer, Producer

connector = subprocess.Popen([sys.executable, "-m", "connector.cli", *sys.argv[1:]])
with open(sys.argv[2], "rb") as file:
    kafka = tomllib.load(file)["kafka"]
client = {"bootstrap.servers": kafka["bootstrap_servers"]}
topic = kafka["prefix"] + ".contentful.changes"
reader = Consumer({**client, "group.id": "vandal", "auto.offset.reset": "earliest",
    "topic.metadata.refresh.interval.ms": 200})
reader.subscribe(["^" + topic + "$"])
while not (message := reader.poll(0.2)) or message.error():
    pass
writer = Producer(client)
writer.produce(topic, None, message.key(), partition=message.partition())
writer.flush()
sys.exit(connector.wait())
"""


@pytest.fixture
def servers(kafka: Broker, registry: str, monkeypatch: pytest.MonkeyPatch) -> Broker:
    """Let the demo use the session's servers."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP", kafka.bootstrap)
    monkeypatch.setenv("SCHEMA_REGISTRY", registry)
    return kafka


@contextmanager
def _running(output: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with output.open("wb") as file:
        demo = subprocess.Popen([*_DEMO, *arguments], stdout=file, stderr=file, cwd=_REPOSITORY)
        try:
            yield demo
        finally:
            demo.kill()
            demo.wait()


def _eventually(happened: Callable[[], object], seconds: float = _PATIENCE) -> bool:
    end = time.monotonic() + seconds
    while not (done := bool(happened())) and time.monotonic() < end:
        time.sleep(0.05)
    return done


def _says(output: Path, text: str) -> bool:
    return _eventually(lambda: text in output.read_text("utf-8"))


def _folder(output: Path) -> str:
    found = re.search(r"/\S*contentwire-demo-\w+", output.read_text("utf-8"))
    assert found
    return found[0]


def _processes(folder: str) -> list[str]:
    """Return the command lines, of any process, that name the demo's folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue
        if folder.encode() in command:
            found.append(command.replace(b"\0", b" ").decode())
    return found


def _prefix(output: Path) -> str:
    found = re.search(r"demo-[0-9a-f]+\.", output.read_text("utf-8"))
    assert found
    return found[0]


def _left(kafka: Broker, registry: str, prefix: str) -> list[str]:
    """Return the topics and subjects that begin with `prefix`."""
    topics = AdminClient(dict(kafka.client)).list_topics(timeout=10).topics
    with closing(Registry(registry)) as client:
        return [name for name in [*topics, *client.subjects()] if name.startswith(prefix)]


def test_the_demo_holds_and_leaves_nothing_behind(servers: Broker, registry: str, tmp_path: Path) -> None:
    """The real command, through a SIGKILL: exit 0 with its proof; folder, processes, topics and subjects are gone."""
    output = tmp_path / "output"
    with _running(output) as demo:
        assert demo.wait(_PATIENCE) == 0, output.read_text("utf-8")
    said = output.read_text("utf-8")
    assert "Everything holds" in said
    assert re.search(r"seen before the crash .* 0 of 150", said)
    assert "\x1b" not in said
    assert not Path(_folder(output)).exists()
    assert _processes(_folder(output)) == []
    assert _left(servers, registry, _prefix(output)) == []


def test_the_demo_fails_if_the_topic_differs_from_the_cms(
    servers: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One row that somebody else removed from a topic: exit 1, and no claim of success."""
    vandal = tmp_path / "vandal.py"
    vandal.write_text(_VANDAL)
    assert live.main(entries=60, command=(sys.executable, str(vandal))) == 1
    said = capsys.readouterr().out
    assert "Something does not hold" in said
    assert "Everything holds" not in said


def test_ctrl_c_ends_everything(servers: Broker, registry: str, tmp_path: Path) -> None:
    """During the edits, and pressed twice: exit 130, and no process, folder or topic stays."""
    output = tmp_path / "output"
    with _running(output) as demo:
        assert _says(output, "Edits")
        folder = _folder(output)
        assert _processes(folder)
        assert _left(servers, registry, _prefix(output))
        demo.send_signal(signal.SIGINT)
        assert _says(output, "Interrupted")
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 130
    assert "Interrupted" in output.read_text("utf-8")
    assert _processes(folder) == []
    assert not Path(folder).exists()
    assert _left(servers, registry, _prefix(output)) == []


def test_a_killed_demo_takes_its_connector_along(servers: Broker, tmp_path: Path) -> None:
    """After SIGKILL of the demo itself, during the edits, its children end by themselves and remove its folder."""
    output = tmp_path / "output"
    with _running(output) as demo:
        assert _says(output, "Edits")
        folder = _folder(output)
        demo.kill()
        demo.wait()
    assert _eventually(lambda: not (_processes(folder) or Path(folder).exists()), 30)


def test_kept_servers_answer_until_ctrl_c(servers: Broker, tmp_path: Path) -> None:
    """With --keep the printed commands work as printed, and Ctrl-C is not a failure."""
    output = tmp_path / "output"
    with _running(output, "--keep") as demo:
        assert _says(output, "/_admin/publish")
        commands = output.read_text("utf-8").split("In another terminal:")[1].strip().splitlines()
        script = "\n".join(command.strip() for command in commands if "curl" not in command)
        tail = f"{script.replace('--from-beginning', '--from-beginning --until-end')}\n"
        shown = subprocess.run(["sh", "-ec", tail], capture_output=True, text=True, check=True, env=_bare(), timeout=60)
        assert "blogPost" in shown.stdout
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0


def _bare() -> dict[str, str]:
    return {"PATH": os.environ["PATH"]}


def test_a_connector_that_ends_is_an_error_with_its_log(servers: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    """It does not wait for events that cannot arrive, and shows the end of the connector's log."""
    broken = (sys.executable, "-c", "import sys; sys.exit('no such luck')")
    with pytest.raises(ConnectorError, match="before the connector ended"):
        live.main(entries=20, command=broken)
    assert "no such luck" in capsys.readouterr().out
