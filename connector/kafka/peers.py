"""The processes that share the streams: the configuration that each declares, and whether it agrees with ours.

A process declares it in its client id. One with another configuration takes a new snapshot of each stream that it comes
to own and follows differently, and so does its successor.
"""

import os
import re
import socket
from collections.abc import Collection
from typing import Final

from connector.kafka.cluster import Member

HINT: Final = "give all processes the same configuration: each takes new snapshots of what it follows differently"

_OURS: Final = re.compile(r"contentwire-.*-[0-9]+-([0-9a-f]{8})", re.DOTALL)


def client_id(signature: str) -> str:
    """Return the client id of a process with a configuration of this signature."""
    return f"contentwire-{socket.gethostname()}-{os.getpid()}-{signature}"


def differing(members: Collection[Member], signature: str) -> list[Member]:
    """Return the members with another signature; one without, because an operator named it, is not judged."""
    named = [(member, _OURS.fullmatch(member.client_id)) for member in members]
    return [member for member, ours in named if ours and ours[1] != signature]
