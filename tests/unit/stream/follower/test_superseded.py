"""An idle stream notices what others have committed, and does not treat it as trouble."""

from collections.abc import Callable

from connector.events.index import Index
from connector.model.checkpoint import Checkpoint
from connector.simulator import Simulator
from connector.stream.follower import Follower
from connector.testing import MemoryStore
from tests.story import Steps, Told
from tests.unit.stream.follower.conftest import NAME


class Overtaken(MemoryStore):
    """A store in which somebody else has committed once: `command` says what, and the next recovery reads it."""

    command: Callable[[], None] | None = None

    def superseded(self) -> bool:
        """Return whether there is something to read."""
        return self.command is not None

    def recover(self, index: Index) -> Checkpoint | None:
        """Do what the other one did, and read everything back."""
        command, self.command = self.command, None
        if command:
            command()
        return super().recover(index)


def test_a_command_that_an_idle_stream_notices_fences_no_transaction(simulator: Simulator) -> None:
    """None was begun: counting a fenced one would make operators look for a second owner."""
    store = Overtaken(connection="blog")
    following = Told(simulator, NAME, lambda: store)
    following.become_current()

    def pause() -> None:
        following.checkpoint(request='{"paused":true}')

    def story(follower: Follower) -> Steps:
        yield lambda: follower.status.phase == "streaming"
        store.command = pause
        yield lambda: follower.status.state == "paused"

    following.tell(story, poll_interval=3600)
    assert following.metric("contentwire_transactions_total", outcome="fenced") == 0
    assert following.metric("contentwire_retries_total", error="Fenced") == 0
    assert following.metric("contentwire_retries_total", error="Superseded") == 1
