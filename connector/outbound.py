"""How HTTP requests leave this machine: by which proxy, and whose certificates are believed. Pure.

Our own reading of the usual environment variables: what httpx makes of NO_PROXY ends in an exception for some of the
forms that operators write (CIDR, IPv6), and it sends requests to loopback through HTTP_PROXY.
"""

import base64
import ipaddress
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

_CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Proxy(msgspec.Struct, frozen=True):
    """A proxy and where it was configured. `url` holds no credentials; `repr` shows none."""

    origin: str
    url: str
    user: str = ""
    password: str = msgspec.field(default="")

    def __repr__(self) -> str:
        return f"Proxy({self.url!r} from {self.origin})"


class Outbound(msgspec.Struct, frozen=True):
    """What the environment says: proxies by scheme, what goes without one, and certificates beside the usual ones."""

    proxies: Mapping[str, Proxy] = {}
    direct: tuple[str, ...] = ()
    ca_file: Path | None = None
    ca_folder: Path | None = None

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy that a request to `url` takes; loopback is never asked by one."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
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
    files: dict[str, Path] = {}
    for name in _CERTIFICATES:
        if text := environ.get(name, ""):
            files[name] = Path(text)
            there = files[name].is_dir() if name == "SSL_CERT_DIR" else files[name].is_file()
            if not there:
                problems.append(f"{name}: {text} is no {'folder' if name == 'SSL_CERT_DIR' else 'file'}")
    _, direct = _first(environ, "no_proxy")
    entries = tuple(entry.strip().lower() for entry in direct.split(",") if entry.strip())
    return Outbound(proxies, entries, files.get("SSL_CERT_FILE"), files.get("SSL_CERT_DIR")), problems


def proxy(text: str, origin: str) -> Proxy:
    """Return the proxy that a URL names, with its credentials apart; raises `ValueError` saying what is wrong."""
    url = text.strip() if "://" in text else f"http://{text.strip()}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is no URL of a proxy like http://proxy.example.com:3128") from None
    if parts.scheme.startswith("socks"):
        raise ValueError("names a SOCKS proxy, which is not supported: use one that speaks HTTP")
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("is no URL of a proxy like http://proxy.example.com:3128")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    where = f"{parts.scheme}://{host}:{port or _DEFAULT_PORTS[parts.scheme]}"
    return Proxy(origin, where, unquote(parts.username or ""), unquote(parts.password or ""))


def secrets(proxies: Mapping[str, Proxy]) -> Iterator[str]:
    """Yield what of these proxies must not be shown, in the forms that headers make of it."""
    for each in proxies.values():
        if each.password:
            yield each.password
            yield base64.b64encode(f"{each.user}:{each.password}".encode()).decode()


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _first(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the variable that counts, and its value: the lower-case one, as everywhere."""
    for spelt in (name, name.upper()):
        if environ.get(spelt):
            return spelt, environ[spelt]
    return name, ""


def _matches(entry: str, host: str, port: int) -> bool:
    """Return whether an entry of NO_PROXY means a host: `*`, a name and all below it, an address or a network."""
    if entry == "*":
        return True
    name, _, wanted = entry.rpartition(":") if _has_port(entry) else (entry, "", "")
    if wanted and wanted != str(port):
        return False
    name = name.removeprefix("[").removesuffix("]").removeprefix("*")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        bare = name.removeprefix(".")
        return bool(bare) and (host == bare or host.endswith(f".{bare}"))
    try:
        return address in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False


def _has_port(entry: str) -> bool:
    head, colon, port = entry.rpartition(":")
    return bool(colon) and port.isdigit() and (":" not in head or head.endswith("]"))
