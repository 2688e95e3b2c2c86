"""What it takes to follow one stream: its parts, bounds and pace. Values only."""

import threading
from collections.abc import Callable
from typing import Literal, NamedTuple

import msgspec

from connector.clock import Clock
from connector.cms.source import Source, Unopened
from connector.cms.vendor import Vendor
from connector.events.record import Batch
from connector.stream.publisher import Publisher
from connector.stream.runner import Bounds

SnapshotMode = Literal["initial", "initial_only", "never"]


class Parts(NamedTuple):
    """What a stream is made of while it is followed."""

    source: Source | Unopened
    publisher: Publisher


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How long a follower waits, in seconds.

    - `first_pause`, `longest_pause`: the cap of the pause after a first failure, and what it grows to by doubling.
    - `look_again`: between checks for an operator's request, and of the topics.
    - `doubt`: how long a refusal of the credentials or the scope (401, 403, 404) is not believed; `doubt_briefly`: the
      same in a single pass, and when a stopped stream tries again. `doubt_pause`: the longest pause between tries.
    - `try_again`: how long a stopped stream waits before it tries again by itself.
    - `overdue`: how long a request may take before it counts as trouble. `report_after`: how long trouble lasts before
      it is written into the state topic.
    - `rest_after`: how long a stream commits nothing before it lets its producer go; `rest_soon`: the same while the
      streams of its process have many of them.
    - `model_every`: between two looks at the content model; `model_again`: the same if items show more than it has.
    - `wake_spacing`: between two polls that webhook calls ask for, however many there are.
    - `wake_ups`: when to poll after a wake-up call: delivery caches lag behind webhooks by up to two minutes.
    """

    first_pause: float = 0.5
    longest_pause: float = 60.0
    look_again: float = 5.0
    doubt: float = 180.0
    doubt_briefly: float = 5.0
    doubt_pause: float = 20.0
    try_again: float = 300.0
    overdue: float = 15.0
    report_after: float = 30.0
    rest_after: float = 60.0
    rest_soon: float = 1.0
    model_every: float = 3600.0
    model_again: float = 15.0
    wake_spacing: float = 3.0
    wake_ups: tuple[float, ...] = (0.0, 5.0, 20.0, 60.0, 120.0)


class Hooks(NamedTuple):
    """Called for each page (items, bytes, seconds it took) and committed batch (seconds its transaction took)."""

    page: Callable[[int, int, float], None]
    committed: Callable[[Batch, float], None]


def _nothing() -> bool:
    return False


class StreamSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to follow a stream. `open` builds its parts; `page_size` is what is requested at first.

    `open(stop, hooks)` returns a source that stops at `stop` and a publisher; both report to `hooks`.
    `refresh` rereads the secrets that may have changed, and returns whether one has; `secrets_from` says where the
    credentials come from, for whoever has to correct them. `mask` removes secrets from what is shown of the stream.
    """

    connection: str
    vendor: Vendor
    clock: Clock
    state_topic: str
    fingerprint: str
    open: Callable[[threading.Event, Hooks], Parts]
    bounds: Bounds = Bounds()
    poll_interval: float = 30.0
    heartbeat: float = 600.0
    snapshot_mode: SnapshotMode = "initial"
    page_size: int = 100
    pace: Pace = Pace()
    refresh: Callable[[], bool] = _nothing
    secrets_from: str = ""
    mask: Callable[[str], str] = str
