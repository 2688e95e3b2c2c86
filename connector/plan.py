"""What following one stream takes: its parts, bounds and pace. Values only."""

import threading
from collections.abc import Callable
from typing import Literal, NamedTuple

import msgspec

from connector.batch import Batch
from connector.publisher import Publisher
from connector.runner import Bounds
from connector.source import Source
from connector.vendors import Vendor

SnapshotMode = Literal["initial", "initial_only", "never", "when_needed"]


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How long a follower waits, in seconds.

    - `first_pause`, `longest_pause`: the cap of the pause after a first failure, and what it grows to by doubling.
    - `look_again`: between looks for an operator's request, and at the topics.
    - `wake_ups`: when to poll after a wake-up call: delivery caches lag behind webhooks by up to two minutes.
    """

    first_pause: float = 0.5
    longest_pause: float = 60.0
    look_again: float = 5.0
    wake_ups: tuple[float, ...] = (0.0, 5.0, 20.0, 60.0, 120.0)


class Hooks(NamedTuple):
    """Who is told: of a page (items, bytes, seconds it took), of a committed batch (seconds the transaction took)."""

    page: Callable[[int, int, float], None]
    committed: Callable[[Batch, float], None]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What following a stream takes. `open` builds its parts; `page_size` is what is asked for at first.

    `open(stop, hooks)` returns a source that stops at `stop` and a publisher; both report to `hooks`.
    """

    connection: str
    vendor: Vendor
    state_topic: str
    fingerprint: str
    open: Callable[[threading.Event, Hooks], tuple[Source, Publisher]]
    bounds: Bounds = Bounds()
    poll_interval: float = 30.0
    heartbeat: float = 600.0
    snapshot_mode: SnapshotMode = "initial"
    page_size: int = 100
    pace: Pace = Pace()
