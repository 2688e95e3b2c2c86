"""What one transaction carries: dead letters get their route, and nothing else in the batch changes."""

from connector.events.codec import Framing
from connector.events.record import Batch, Letter, Record, Route, Tally, addressed
from connector.model.checkpoint import KeySchemaId, KnownTopic
from tests.values import checkpoint

ROUTE = Route(
    "blog.dead-letters",
    Framing(KeySchemaId("confluent", "1"), b"KEY"),
    Framing(KeySchemaId("confluent", "2"), b"VALUE"),
    KnownTopic(1),
)
EVENT = Record("blog.changes", b"k", b"v", [("h", b"x")], 3)


def batch(*letters: Letter) -> Batch:
    """Return a batch of one event and these dead letters."""
    return Batch([EVENT], [(b"s", b"state")], checkpoint(), Tally(), [*letters])


def test_dead_letters_become_records_of_their_topic() -> None:
    """Their values are framed by its schema, their keys unchanged, in order and before the events."""
    sent = addressed(batch(Letter(b"one", b"1"), Letter(b"two", b"2")), ROUTE)
    assert sent.records == [
        Record("blog.dead-letters", b"one", b"VALUE1", []),
        Record("blog.dead-letters", b"two", b"VALUE2", []),
        EVENT,
    ]
    assert sent.letters == []


def test_addressing_changes_nothing_else() -> None:
    """The original batch stays as it was, for another try; the state is kept."""
    given = batch(Letter(b"one", b"1"))
    sent = addressed(given, ROUTE)
    assert (given.records, given.letters) == ([EVENT], [Letter(b"one", b"1")])
    assert (sent.state, sent.checkpoint, sent.tally) == (given.state, given.checkpoint, given.tally)


def test_a_letter_is_addressed_once() -> None:
    """A batch that has been addressed does not change again."""
    sent = addressed(batch(Letter(b"one", b"1")), ROUTE)
    assert addressed(sent, ROUTE) == sent
