"""A connector process that tests kill or freeze at a step of their choice: `python -m tests.faults.child ORDERS.json`.

It runs the production code as `contentwire run` does. Steps are counted from outside: in a wrapped producer,
a wrapped transport, the reads of the state topic and the calls of the membership. A step is called `<what>:<n>`,
counted by stream, so its name is the same in every run. Once every stream in the orders has reached its step, the
process does to itself what the orders say; until then, streams that have reached theirs wait.
"""

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import httpx
import msgspec
from confluent_kafka import Producer

from connector import logs, wiring
from connector.clock import SYSTEM
from connector.config.load import load
from connector.kafka import state_topic
from connector.kafka.client import Settings
from connector.service.metrics import Metrics
from connector.service.supervisor import Supervisor
from connector.stream.spec import StreamSpec
from connector.wiring import ConfiguredStream

P = ParamSpec("P")
R = TypeVar("R")

PROCESS: Final = "process"  # the stream name for steps of the whole process


class Orders(msgspec.Struct, kw_only=True):
    """The parent's orders: which signal to raise `at` which step of which stream, and where to write the steps."""

    config: str
    steps: str
    once: bool = True
    at: Mapping[str, str] = {}
    signal: int = signal.SIGKILL


class Steps:
    """Counts and records the steps of each stream, and obeys the orders."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._counts: Counter[tuple[str, str]] = Counter()
        self._waiting = set(orders.at)
        self._lock = threading.Lock()
        self._gone_on = threading.Event()
        self._file = Path(orders.steps).open("a", buffering=1)  # noqa: SIM115  open until the process dies

    def take(self, stream: str, what: str, prepare: Callable[[], object] = lambda: None) -> int:
        """Take one step, and return its number; `prepare` is called first if it is the ordered one."""
        with self._lock:
            self._counts[stream, what] += 1
            number = self._counts[stream, what]
        step = f"{what}:{number}"
        self._write(stream, step)
        if self._orders.at.get(stream) == step:
            prepare()
            self._arrive(stream)
        return number

    def around(self, stream: str, what: str, call: Callable[P, R]) -> Callable[P, R]:
        """Return `call` with a step before and after it; if it raises, the refusal gets the number of the former."""

        def stepped(*args: P.args, **kwargs: P.kwargs) -> R:
            number = self.take(stream, f"{what}.before")
            try:
                result = call(*args, **kwargs)
            except Exception:
                self._write(stream, f"{what}.refused:{number}")
                raise
            self.take(stream, f"{what}.after")
            return result

        return stepped

    def _write(self, stream: str, step: str) -> None:
        with self._lock:
            self._file.write(f"{stream} {step}\n")

    def _arrive(self, stream: str) -> None:
        with self._lock:
            self._waiting.discard(stream)
            last = not self._waiting
        if last:
            os.kill(os.getpid(), self._orders.signal)
            self._gone_on.set()
        self._gone_on.wait()


class SteppingProducer:
    """The real producer, with steps between its calls."""

    def __init__(self, steps: Steps, stream: str, producer: Producer) -> None:
        self._steps, self._stream, self._producer = steps, stream, producer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def produce(self, *args: Any, **kwargs: Any) -> None:
        """Hand over a record; if the process is to die here, the broker first gets what was produced so far."""
        self._producer.produce(*args, **kwargs)
        self._steps.take(self._stream, "produce", lambda: self._producer.flush(5))

    def produce_batch(self, topic: str, messages: list[dict[str, Any]], **more: Any) -> None:
        """Hand over a transaction's state, the first half before the rest; the broker gets what came before a death."""
        half = len(messages) // 2
        for part in (messages[:half], messages[half:]):
            self._producer.produce_batch(topic, part, **more)
            self._steps.take(self._stream, "state", lambda: self._producer.flush(5))

    def init_transactions(self, *args: Any) -> None:
        """Fence."""
        self._steps.around(self._stream, "init", self._producer.init_transactions)(*args)

    def begin_transaction(self) -> None:
        """Begin."""
        self._steps.around(self._stream, "begin", self._producer.begin_transaction)()

    def flush(self, *args: Any) -> int:
        """Wait for the delivery reports."""
        return self._steps.around(self._stream, "flush", self._producer.flush)(*args)

    def commit_transaction(self, *args: Any) -> None:
        """Commit."""
        self._steps.around(self._stream, "commit", self._producer.commit_transaction)(*args)

    def abort_transaction(self, *args: Any) -> None:
        """Abort."""
        self._steps.around(self._stream, "abort", self._producer.abort_transaction)(*args)


class SteppingTransport(httpx.BaseTransport):
    """The real transport, with a step after each complete response."""

    def __init__(self, steps: Steps, stream: str) -> None:
        self._steps, self._stream, self._transport = steps, stream, httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; return its response once it is complete."""
        response = self._transport.handle_request(request)
        body = b"".join(response.iter_raw())
        response.close()
        self._steps.take(self._stream, "http")
        return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(body))

    def close(self) -> None:
        """Close connections."""
        self._transport.close()


class SteppingSupervisor(Supervisor):
    """The real supervisor, with steps around the membership's calls."""

    steps: Steps

    def assigned(self, topics: frozenset[str]) -> None:
        """Begin to follow."""
        self.steps.around(PROCESS, "assigned", super().assigned)(topics)

    def revoked(self, topics: frozenset[str], *, lost: bool) -> None:
        """Stop following."""
        self.steps.around(PROCESS, "revoked", super().revoked)(topics, lost=lost)


def spec(stream: ConfiguredStream, steps: Steps) -> StreamSpec:
    """Return the spec of a stream, with its seams wrapped."""

    def producer(*args: Any, **kwargs: Any) -> SteppingProducer:
        return SteppingProducer(steps, stream.name, Producer(*args, **kwargs))

    return stream.spec(producer=producer, transport=SteppingTransport(steps, stream.name))


def step_around_the_read(streams: Sequence[ConfiguredStream], steps: Steps) -> None:
    """Step around recovery's read of the state: before it, the stream is fenced and the end of its state is known."""
    names = {stream.layout.state_topic: stream.name for stream in streams}
    read = state_topic.read

    def stepped(client: Settings, topic: str, *args: Any, **more: Any) -> int:
        return steps.around(names[topic], "read", read)(client, topic, *args, **more)

    setattr(state_topic, "read", stepped)  # noqa: B010  an assignment to a function is a type error


def main(arguments: Sequence[str]) -> int:
    """Run as ordered; return 0 if every stream became current."""
    orders = msgspec.json.decode(Path(arguments[0]).read_bytes(), type=Orders)
    config = load(Path(orders.config), os.environ)
    logs.configure(sys.stderr, json=True, level="info", secrets=config.secrets())
    steps = Steps(orders)
    streams = wiring.streams(config)
    step_around_the_read(streams, steps)
    specs = [spec(stream, steps) for stream in streams]
    supervisor = SteppingSupervisor(
        specs, config.kafka.properties(), config.kafka.prefix, Metrics(), clock=SYSTEM, once=orders.once
    )
    supervisor.steps = steps
    signal.signal(signal.SIGTERM, lambda *_: supervisor.stop())
    outcome = supervisor.run([stream.layout.state_spec() for stream in streams])
    return 0 if outcome == "current" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
