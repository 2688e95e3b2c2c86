"""The Java archives of Kafka and of the registry: pinned, verified, cached per user, fetched when missing.

`<bundle>.sha256` lists what belongs to a bundle: digest, size and Maven coordinates of each file.
"""

import contextlib
import fcntl
import functools
import hashlib
import logging
import os
import shutil
import ssl
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from connector.errors import Unreachable

_log = logging.getLogger(__name__)

_PARALLEL = 6
_TIMEOUT = 30
_CHUNK = 64 * 1024
_CENTRAL = "https://repo.maven.apache.org/maven2"
_HINT = (
    "Kafka and the registry are fetched once; run again to continue with what is missing. Behind a proxy, set "
    "HTTPS_PROXY. With a mirror of Maven Central, set MAVEN_REPOSITORY to its URL. Or set KAFKA_BOOTSTRAP (and "
    "SCHEMA_REGISTRY) to servers you have."
)

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Artifact:
    """One pinned file of a Maven repository."""

    sha256: str
    size: int
    group: str
    name: str
    version: str
    packaging: str
    classifier: str = ""

    @property
    def filename(self) -> str:
        """Its name in the cache."""
        return f"{'-'.join(filter(None, (self.name, self.version, self.classifier)))}.{self.packaging}"

    @property
    def path(self) -> str:
        """Its path below a repository's URL."""
        return "/".join((*self.group.split("."), self.name, self.version, self.filename))

    def intact(self, path: Path) -> bool:
        """Whether the file at `path` is exactly this artifact."""
        return path.is_file() and path.stat().st_size == self.size and sha256(path) == self.sha256


@dataclass(frozen=True)
class Library:
    """Where archives are kept, the URL of the Maven repository they come from, and the folder that pins them."""

    cache: Path
    repository: str = _CENTRAL
    pins: Path = Path(__file__).parent

    @classmethod
    def of_user(cls, environ: Mapping[str, str]) -> "Library":
        """Return the user's cache directory, and Maven Central, unless `MAVEN_REPOSITORY` names a mirror of it."""
        caches = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cls(caches / "contentwire", environ.get("MAVEN_REPOSITORY") or _CENTRAL)

    def fetch(self, bundle: str) -> tuple[Path, ...]:
        """Return the files of a bundle (`kafka-4.3.1`), each verified in this call.

        Missing and damaged ones are fetched first; processes that do so at the same time wait for each other. Raises
        `Unreachable` if a repository does not deliver; what arrived before stays in the cache.
        """
        with _locked(self.cache / bundle) as folder:
            return self._complete(bundle, folder)

    def unpack(self, bundle: str, tree: str | None = None) -> Path:
        """Return the folder that a bundle of one archive unpacks to, verified in this call by its digest `tree`.

        Without `tree`, unpacks again. Fetches and raises like `fetch`; the archive itself is not kept.
        """
        with _locked(self.cache / bundle) as folder:
            unpacked = folder / "unpacked"
            if tree_digest(unpacked) != tree:
                shutil.rmtree(unpacked, ignore_errors=True)
                (archive,) = self._complete(bundle, folder)
                with tarfile.open(archive) as tar:
                    tar.extractall(unpacked, filter="data")
                assert tree in {None, tree_digest(unpacked)}, "the pinned tree is not that of the pinned archive"
                archive.unlink()
            return unpacked

    def _complete(self, bundle: str, folder: Path) -> tuple[Path, ...]:
        artifacts = self._pinned(bundle)
        wanted = [artifact for artifact in artifacts if not artifact.intact(folder / artifact.filename)]
        if wanted:
            self._download(bundle, wanted, folder)
        return tuple(folder / artifact.filename for artifact in artifacts)

    def _pinned(self, bundle: str) -> list[Artifact]:
        lines = (self.pins / f"{bundle}.sha256").read_text(encoding="ascii").splitlines()
        return [
            Artifact(sha256, int(size), *coordinates.split(":")) for sha256, size, coordinates in map(str.split, lines)
        ]

    def _download(self, bundle: str, wanted: list[Artifact], folder: Path) -> None:
        total = sum(artifact.size for artifact in wanted)
        stopped = threading.Event()
        with (
            _progress(f"fetching {bundle}, {total / 1e6:.0f} MB in {len(wanted)} files", total) as advance,
            ThreadPoolExecutor(_PARALLEL) as pool,
        ):

            def arrived(size: int) -> None:
                # The only way to stop a running download: without it, Ctrl-C would wait for the last byte.
                if stopped.is_set():
                    raise InterruptedError("another download failed, or the program is ending")
                advance(size)

            try:
                for fetched in [pool.submit(self._fetch, artifact, folder, arrived) for artifact in wanted]:
                    fetched.result()
            finally:
                stopped.set()
                pool.shutdown(cancel_futures=True)

    def _fetch(self, artifact: Artifact, folder: Path, arrived: Advance) -> None:
        url = f"{self.repository.rstrip('/')}/{artifact.path}"
        part = folder / f"{artifact.filename}.part"
        try:
            with (
                urlopen(url, timeout=_TIMEOUT, context=_certificates()) as response,  # noqa: S310  # what arrives is pinned
                part.open("wb") as file,
            ):
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
                    arrived(len(chunk))
        except (OSError, HTTPException, ValueError) as error:
            raise Unreachable(f"cannot fetch {artifact.filename} from {url}: {error}", hint=_HINT) from error
        if not artifact.intact(part):
            raise Unreachable(f"{artifact.filename} from {url} is not the file with the pinned SHA-256", hint=_HINT)
        part.replace(folder / artifact.filename)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def sha256(path: Path) -> str:
    """Return a file's digest, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_digest(folder: Path) -> str:
    """Return one digest over the names and contents of all files below `folder`, in hex."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    lines = "".join(f"{sha256(files[name])}  {name}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


@functools.cache
def _certificates() -> ssl.SSLContext:
    from connector.cms import http, outbound  # noqa: PLC0415  # they cost more than the check that nothing is missing

    return http.certificates(None, outbound.read(os.environ)[0])


@contextlib.contextmanager
def _progress(title: str, total: int) -> Iterator[Advance]:
    """Show a bar on a terminal, and write log lines elsewhere."""
    if not sys.stderr.isatty():
        _log.info("%s", title)
        yield lambda _: None
        _log.info("%s: done", title)
        return
    from rich.console import Console  # noqa: PLC0415  # it costs more than the check that nothing is missing
    from rich.progress import Progress  # noqa: PLC0415  # as above

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda size: bar.advance(task, size)
