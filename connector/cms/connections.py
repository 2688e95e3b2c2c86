"""What the streams of a process share of the network: a pool of connections for each host, and trusted certificates.

Loading the usual certificates takes 20 ms and close to a megabyte: a thousand streams must not do so one by one.
"""

import os
import threading
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from connector.cms.http import Pool, certificates
from connector.cms.outbound import Outbound, Proxy

_Trust = tuple[object, ...]


class Connections:
    """Pools by host, proxy and certificates, each for as long as it is used. Safe from any thread."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._pools: Final[WeakValueDictionary[tuple[object, ...], Pool]] = WeakValueDictionary()

    def pool(self, url: str, *, proxy: Proxy | None, ca: Path | None, outbound: Outbound) -> Pool:
        """Return the pool for requests to the host of `url`: another one once the certificates' files have changed.

        Raises `ConfigError` if certificates cannot be used, `LocalTrouble` if this machine has no file to open left.
        """
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc.rpartition("@")[2].lower(), proxy, _trust(ca, outbound))
        with self._lock:
            found = self._pools.get(key)
            if found is None:
                found = self._pools[key] = Pool(proxy, certificates(ca, outbound))
            return found

    def count(self) -> int:
        """Return how many pools are in use."""
        return len(self._pools)


def _trust(ca: Path | None, outbound: Outbound) -> _Trust:
    """Return what tells whether certificates are those that were loaded before."""
    folders = [] if ca else [Path(folder) for folder in outbound.ca_folders.split(os.pathsep) if folder]
    try:
        within = [path for folder in folders for path in sorted(folder.iterdir())]
    except OSError:
        within = []  # loading them says what is wrong
    file = ca or outbound.ca_file
    return tuple((path, *_stamp(path)) for path in (*([file] if file else []), *folders, *within))


def _stamp(path: Path) -> _Trust:
    try:
        found = path.stat()
    except OSError:
        return ()  # loading them says what is wrong
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
