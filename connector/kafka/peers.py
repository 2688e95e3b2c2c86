"""The processes that share the streams: what each says of its configuration, and whether it agrees with ours.

A process tells by its client id. One with another configuration takes a new snapshot of each stream that it comes to
own and follows differently, and so does its successor.
"""

import os
import re
import socket
from collections.abc import Collection
from typing import Final

from connector.kafka.cluster import Member

HINT: Final = "give all processes the same one: each takes new snapshots of what it follows differently"

_OURS: Final = re.compile(r"contentwire-.*-[0-9]+-([0-9a-f]{8})", re.DOTALL)


def client_id(signature: str) -> str:
    """Return what a process with a configuration of this signature calls itself."""
    return f"contentwire-{socket.gethostname()}-{os.getpid()}-{signature}"


def differing(members: Collection[Member], signature: str) -> list[Member]:
    """Return the members that tell another signature; who tells none, because an operator named it, is not judged."""
    named = [(member, _OURS.fullmatch(member.client_id)) for member in members]
    return [member for member, ours in named if ours and ours[1] != signature]
