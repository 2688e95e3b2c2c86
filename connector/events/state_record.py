"""The checkpoint's record in the state topic: its key, and its value to bytes and back. Pure."""

import msgspec

from connector.events import codec
from connector.events.index import check_version
from connector.model.checkpoint import Checkpoint

# No index key can equal it: those begin with the (never zero) length of the connection's name.
CHECKPOINT_KEY = b"\x00checkpoint"
CHECKPOINT_VERSION = 1

# Older releases end a checkpoint before its topic ids, a map: this is an empty one, not read behind a whole record.
_NO_TOPIC_IDS = b"\0"


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Return the state record's value."""
    return codec.encode("checkpoint", msgspec.to_builtins(checkpoint))


def decode_checkpoint(value: bytes) -> Checkpoint:
    """Return the checkpoint of a state record; raises `StateTooNew` for a version this release does not know."""
    check_version(value, CHECKPOINT_VERSION)
    return msgspec.convert(codec.decode("checkpoint", value + _NO_TOPIC_IDS), Checkpoint)
