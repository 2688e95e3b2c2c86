"""What needs no Kafka: whether keys would still be written as before."""

import pytest

from connector.errors import KeySchemaChanged
from connector.kafka.topics import check_key_schema
from connector.model.checkpoint import KeySchemaId

NOW = KeySchemaId("confluent", "7")


@pytest.mark.parametrize("recorded", [NOW, KeySchemaId("", "")])
def test_keys_that_are_written_as_before_are_accepted(recorded: KeySchemaId) -> None:
    """And so is a stream that has written none."""
    check_key_schema(recorded, NOW, "blog")


@pytest.mark.parametrize("recorded", [KeySchemaId("confluent", "8"), KeySchemaId("single-object", "7")])
def test_keys_that_would_move_are_refused(recorded: KeySchemaId) -> None:
    """The error names the connection, what they were and what they would be."""
    with pytest.raises(KeySchemaChanged, match="blog") as refused:
        check_key_schema(recorded, NOW, "blog")
    assert f"{recorded.framing} {recorded.id}" in str(refused.value)
    assert "confluent 7" in str(refused.value)
