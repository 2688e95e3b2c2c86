"""Where the operators' port listens, and which host names it answers to. Pure."""

import ipaddress

import msgspec


class Site(msgspec.Struct, frozen=True):
    """A host and port to listen on, more host names, and the path that a gateway has stripped."""

    host: str
    port: int
    hosts: frozenset[str] = frozenset()
    public_path: str = ""

    def answers_to(self, header: str | None) -> bool:
        """Return whether a request with this `Host` is meant for us.

        A name that is pointed at this address (DNS rebinding) lets a web page read a port that only this machine can
        reach, so only known names pass. Addresses cannot be repointed, and a request without a host has no name.
        """
        if not header:
            return True
        name = header.strip().lower()
        name = name.rpartition(":")[0] if not name.endswith("]") and name.rpartition(":")[2].isdigit() else name
        name = name.removeprefix("[").removesuffix("]").rstrip(".")
        if name == "localhost" or name == self.host.lower() or name in {each.lower() for each in self.hosts}:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True
