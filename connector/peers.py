"""The processes that share the streams: what each says of its configuration, and whether it agrees with ours.

A process tells by its client id. One with another configuration takes a new snapshot of each stream that it comes to
own and follows differently, and so does its successor.
"""

import os
import re
import socket
import threading
from collections.abc import Collection
from typing import Final

from connector import logs
from connector.errors import ConnectorError
from connector.kafka.cluster import Cluster, Member

HINT: Final = "give all processes the same one: each takes new snapshots of what it follows differently"

_FIRST: Final = 5.0  # seconds until a process has joined the group
_AGAIN: Final = 30.0
_OURS: Final = re.compile(r"contentwire-.*-[0-9]+-([0-9a-f]{8})", re.DOTALL)


def client_id(signature: str) -> str:
    """Return what a process with a configuration of this signature calls itself."""
    return f"contentwire-{socket.gethostname()}-{os.getpid()}-{signature}"


def differing(members: Collection[Member], signature: str) -> list[Member]:
    """Return the members that tell another signature; who tells none, because an operator named it, is not judged."""
    told = [(member, _OURS.fullmatch(member.client_id)) for member in members]
    return [member for member, ours in told if ours and ours[1] != signature]


class Watch:
    """Looks at the group now and then, and warns once of each member that differs."""

    def __init__(self, cluster: Cluster, group: str, signature: str) -> None:
        self._cluster = cluster
        self._group = group
        self._signature = signature
        self._warned: set[str] = set()
        self._log = logs.get("peers")

    def start(self) -> None:
        """Look from now on, in the background, for as long as the process lives."""
        threading.Thread(target=self._run, name="peers", daemon=True).start()

    def look(self) -> None:
        """Look once; a group that cannot be looked at now is looked at the next time."""
        try:
            found = differing([member for member, _ in self._cluster.members(self._group)], self._signature)
        except ConnectorError:
            return
        for member in found:
            if member.client_id not in self._warned:
                self._warned.add(member.client_id)
                self._log.warning(
                    "a process of this group follows another configuration",
                    peer=member.client_id,
                    host=member.host,
                    hint=HINT,
                )

    def _run(self) -> None:
        pause, asleep = _FIRST, threading.Event()
        while not asleep.wait(pause):
            self.look()
            pause = _AGAIN
