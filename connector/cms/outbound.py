"""How HTTP requests leave this machine: through which proxy, and trusting which certificates. Pure.

We read the usual environment variables ourselves: httpx raises an exception for some forms of NO_PROXY that operators
write (CIDR, IPv6), and sends requests to loopback through HTTP_PROXY.
"""

import base64
import ipaddress
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

import msgspec

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_TOKEN: Final = 16
_NO_PROXY_URL: Final = "is not a proxy URL like http://proxy.example.com:3128"


class Proxy(msgspec.Struct, frozen=True):
    """A proxy, and where it was configured. `url` holds no credentials; `str` and `repr` show none."""

    origin: str
    url: str
    user: str = ""
    password: str = ""

    def __str__(self) -> str:
        return f"the proxy {self.url} from {self.origin}"

    __repr__ = __str__

    def secrets(self) -> Iterator[str]:
        """Yield what must not be shown, in each form that it takes in URLs and headers."""
        # Some proxies take a token as the user, without a password; a short user is a name, and may be a common word.
        secret = self.password or (self.user if len(self.user) >= _TOKEN else "")
        if secret:
            yield from (secret, quote(secret, safe=""))
            yield base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class Outbound(msgspec.Struct, frozen=True):
    """What the environment says: proxies by scheme, hosts that need none, and certificates in place of the usual.

    `ca_folders` are separated as in PATH.
    """

    proxies: Mapping[str, Proxy] = {}
    direct: tuple[str, ...] = ()
    ca_file: Path | None = None
    ca_folders: str = ""

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy that a request to `url` goes through, if any; loopback never needs one."""
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
        if is_loopback(host) or any(_matches(entry, host, port) for entry in self.direct):
            return None
        return self.proxies.get(parts.scheme) or self.proxies.get("all")


def read(environ: Mapping[str, str]) -> tuple[Outbound, list[str]]:
    """Return what an environment says, and a line for each variable that cannot be used, beginning with its name."""
    problems: list[str] = []
    proxies: dict[str, Proxy] = {}
    for scheme in ("http", "https", "all"):
        name, text = _first(environ, f"{scheme}_proxy")
        if text:
            try:
                proxies[scheme] = proxy(text, f"the environment variable {name}")
            except ValueError as error:
                problems.append(f"{name}: {error}")
    _, direct = _first(environ, "no_proxy")
    entries = tuple(direct.lower().replace(",", " ").split())
    ca_file = environ.get("SSL_CERT_FILE")
    return Outbound(proxies, entries, Path(ca_file) if ca_file else None, environ.get("SSL_CERT_DIR", "")), problems


def proxy(text: str, origin: str) -> Proxy:
    """Return the proxy that a URL names, with its credentials separate; raises `ValueError` saying what is wrong."""
    url = text.strip() if "://" in text else f"http://{text.strip()}"
    if url.lower().startswith("socks"):
        raise ValueError("names a SOCKS proxy, which is not supported: use one that speaks HTTP")
    try:
        parts = checked(url)
    except ValueError:
        # Not chained, and not shown: it may hold credentials.
        raise ValueError(_NO_PROXY_URL) from None
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(_NO_PROXY_URL)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host.encode("idna").decode()
    where = f"{parts.scheme}://{host}:{parts.port or _DEFAULT_PORTS[parts.scheme]}"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if ":" in user or not f"{user}{password}".isprintable():
        raise ValueError("holds credentials with a control character, or a user with a colon: no header can carry them")
    return Proxy(origin, where, user, password)


def checked(url: str) -> SplitResult:
    """Return the parts of an http or https URL whose host and port a request can go to; raises `ValueError`."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme not in _DEFAULT_PORTS or port == 0 or not url.isprintable() or url.split() != [url]:
        raise ValueError("is not an http or https URL")
    if not (_is_address(host) or _is_name(host)):
        raise ValueError("names a host that cannot exist")
    return parts


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine itself, however it is written."""
    name = host.lower().rstrip(".")
    if name in ("localhost", "localhost.localdomain", "ip6-localhost") or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        try:
            # 127.1, 2130706433 and 0x7f.1 all connect to 127.0.0.1.
            address = ipaddress.IPv4Address(socket.inet_aton(name))
        except (OSError, UnicodeError):
            return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback or address.is_unspecified


def _first(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the variable that counts, and its value: the lower-case one, as everywhere, even if empty."""
    for spelt in (name, name.upper()):
        if spelt in environ:
            return spelt, environ[spelt].strip()
    return name, ""


def _matches(entry: str, host: str, port: int) -> bool:
    """Return whether an entry of NO_PROXY matches a host: `*`, a name and its subdomains, an address or a network."""
    if entry == "*":
        return True
    entry = entry.rpartition("://")[2]
    name, _, wanted = entry.rpartition(":") if _has_port(entry) else (entry, "", "")
    if wanted and wanted != str(port):
        return False
    name = name.removeprefix("[").replace("]", "").removeprefix("*")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        bare = name.strip(".")
        return bool(bare) and (host == bare or host.endswith(f".{bare}"))
    try:
        return address in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False


def _has_port(entry: str) -> bool:
    head, colon, port = entry.rpartition(":")
    return bool(colon) and port.isdigit() and (":" not in head or head.endswith("]"))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_name(host: str) -> bool:
    """Return whether DNS can hold a name: letters, digits, - and _ in labels of at most 63; not digits alone."""
    try:
        labels = host.removesuffix(".").encode("idna").decode().split(".")
    except UnicodeError:
        return False
    return all(re.fullmatch(r"[A-Za-z0-9_-]+", label) for label in labels) and not labels[-1].isdigit()
