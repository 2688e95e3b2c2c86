"""Where the operators' port is, and by which names it may be asked for. Pure."""

import ipaddress

import msgspec


class Site(msgspec.Struct, frozen=True):
    """A host and port to listen at, further host names, and a path that a gateway has taken off."""

    host: str
    port: int
    hosts: frozenset[str] = frozenset()
    public_path: str = ""

    def answers_to(self, header: str | None) -> bool:
        """Return whether a request with this `Host` is meant for us.

        A name that was pointed at this address (DNS rebinding) lets a web page read a port that only this machine can
        reach: so names have to be known. Addresses cannot be pointed anywhere, and a request without a host has none.
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
