"""What makes a process ready, given what it knows of a stream."""

from typing import Any

import pytest

from connector.stream.status import HALTED, STATES, UNREADY, StreamState, StreamStatus


def ready(state: StreamState, **members: Any) -> bool:
    """Return whether a stream in this state lets its process be ready."""
    return StreamStatus(connection="blog", vendor="acme", state=state, **members).ready


@pytest.mark.parametrize("state", ["connecting", "disconnected", "stopped", "walk_starved", "deletes_held"])
@pytest.mark.parametrize("owned", [True, False])
def test_without_kafka_or_with_work_for_an_operator_it_is_not_ready(state: StreamState, *, owned: bool) -> None:
    """Whatever was committed before: an orchestrator must not count on such a process."""
    assert not ready(state, owned=owned, committed_at_ms=1, phase="streaming")


@pytest.mark.parametrize("state", sorted(set(STATES) - UNREADY))
def test_a_stream_of_another_process_does_not_delay_readiness(state: StreamState) -> None:
    """This process is ready to take it over."""
    assert ready(state)


@pytest.mark.parametrize("state", sorted(set(STATES) - UNREADY))
def test_an_owned_stream_is_ready_once_it_has_committed(state: StreamState) -> None:
    """Or had done so before this process started: a streaming checkpoint proves a whole snapshot."""
    assert not ready(state, owned=True)
    assert not ready(state, owned=True, phase="snapshot")
    assert ready(state, owned=True, phase="snapshot", committed_at_ms=1)
    assert ready(state, owned=True, phase="streaming")


def test_a_stream_that_needs_an_operator_is_never_ready() -> None:
    """Every halted state is among the unready ones."""
    assert HALTED < UNREADY < set(STATES)
