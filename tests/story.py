"""A stream followed in no time: in the test's own thread, without sockets, and every wait is over at once.

What happens meanwhile is a story: a generator that yields what it waits for.
"""

import threading
from collections.abc import Callable, Generator
from typing import Any

from connector.cms.source import Source
from connector.simulator import Simulator
from connector.stream.follower import Follower
from connector.stream.publisher import Store
from connector.stream.spec import Pace
from connector.testing import ManualClock, in_turn
from tests.cms import connect
from tests.following import Following
from tests.loopback import Loopback

HOME = "https://cms.example"
HOUR, DAY = 3600.0, 86_400.0
PATIENCE = 2 * HOUR

Steps = Generator[Callable[[], object] | float]
"""What a story waits for: that something is true, or that this many seconds pass."""

Story = Callable[[Follower], Steps]


class Narrator(ManualClock):
    """A clock that continues a story whenever the stream waits."""

    def __init__(self) -> None:
        super().__init__()
        self._steps: Steps | None = None
        self._awaited: Callable[[], object] = lambda: True
        self._given_up_at = 0.0
        self._ended: Callable[[], None] = lambda: None
        self._error: BaseException | None = None

    def begin(self, steps: Steps, ended: Callable[[], None]) -> None:
        """Begin a story; `ended` is called once there is nothing more to tell."""
        self._steps, self._ended, self._error = steps, ended, None
        self._expect(lambda: True, within=PATIENCE)

    def end(self) -> None:
        """Check that the story was told to its end; raises what it raised."""
        if self._error:
            raise self._error
        assert self._steps is None, "the stream has ended during the story"

    def wait(self, seconds: float, event: threading.Event | None = None) -> bool:
        """Continue the story at the beginning and the end of a wait, and within it if a step is due."""
        self._go_on()
        super().wait(seconds, event)
        self._go_on()
        return event is not None and event.is_set()

    def _go_on(self) -> None:
        try:
            while self._steps and self._awaited():
                step = next(self._steps)
                if callable(step):
                    self._expect(step, within=PATIENCE)
                else:
                    due = self.monotonic() + step
                    self._expect(lambda due=due: self.monotonic() >= due, within=step)  # type: ignore[misc]
                    self.after(step, self._go_on)
            assert self._steps is None or self.monotonic() <= self._given_up_at, "waited in vain"
        except StopIteration:
            self._finish()
        except BaseException as error:  # noqa: BLE001  the stream must not take it for its own error
            self._error = error
            self._finish()

    def _expect(self, awaited: Callable[[], object], within: float) -> None:
        self._awaited, self._given_up_at = awaited, self.monotonic() + within

    def _finish(self) -> None:
        self._steps = None
        self._ended()


def source_of(simulator: Simulator, name: str, *, page_size: int | None = None, **options: Any) -> Source:
    """Return a source of the simulated CMS that needs neither sockets nor threads nor time."""
    clock = ManualClock()
    given = {"transport": Loopback(simulator, clock), "timeout": 5.0, **options}
    return Source(connect(simulator, name, page_size=page_size, base_url=HOME), clock=clock, ahead=in_turn, **given)


class Told(Following):
    """Following in no time, at the real pace of a stream."""

    def __init__(self, simulator: Simulator, name: str, opened: Callable[[], Store], **settings: Any) -> None:
        self.narrator = Narrator()
        super().__init__(simulator, name, opened, clock=self.narrator, pace=Pace(), base_url=HOME, **settings)
        self.transport, self.ahead = Loopback(simulator, self.narrator), in_turn

    def tell(self, story: Story, **changes: Any) -> Follower:
        """Follow until the story has been told to its end."""
        follower = Follower(self.spec(**changes), self.metrics)
        self.narrator.begin(story(follower), follower.stop)
        follower.run()
        self.narrator.end()
        return follower
