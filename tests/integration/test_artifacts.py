"""Archives are the pinned ones, however the cache or the repository behaves."""

import dataclasses
import functools
import hashlib
import http.server
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connector.devservers.artifacts import Library
from connector.devservers.child import free_ports
from connector.errors import Unreachable

_JARS = {"one": b"the first archive", "two": b"the second archive"}


@dataclass
class Repository:
    """A Maven repository on loopback, and what was requested from it."""

    folder: Path
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def offer(self, name: str, content: bytes, suffix: str = "jar") -> None:
        """Publish `content` as version 1.0 of `name`."""
        path = self.folder / "org" / "example" / name / "1.0" / f"{name}-1.0.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """Serve a repository that offers both jars."""
    served = Repository(tmp_path / "repository")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            served.asked.append(self.path.rpartition("/")[2])

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    for name, content in _JARS.items():
        served.offer(name, content)
    handler = functools.partial(Handler, directory=str(served.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        server.shutdown()
        thread.join()


@pytest.fixture
def library(tmp_path: Path, repository: Repository) -> Library:
    """Return a library with an empty cache and a bundle `sample` of both jars."""
    pins = tmp_path / "pins"
    pins.mkdir()
    lines = (_pin(content, f"org.example:{name}:1.0:jar") for name, content in _JARS.items())
    (pins / "sample.sha256").write_text("".join(lines))
    return Library(tmp_path / "cache", repository.url, pins)


def _pin(content: bytes, coordinates: str) -> str:
    return f"{hashlib.sha256(content).hexdigest()} {len(content)} {coordinates}\n"


def test_missing_archives_are_fetched_once(library: Library, repository: Repository) -> None:
    """What is in the cache is not fetched again."""
    first = library.fetch("sample")
    repository.asked.clear()

    assert library.fetch("sample") == first
    assert [path.read_bytes() for path in first] == list(_JARS.values())
    assert repository.asked == []


def test_damaged_archive_is_fetched_again(library: Library, repository: Repository) -> None:
    """A cached archive with one wrong byte is noticed and replaced; the intact one is left alone."""
    damaged, _ = library.fetch("sample")
    damaged.write_bytes(_JARS["one"].swapcase())
    repository.asked.clear()

    library.fetch("sample")

    assert damaged.read_bytes() == _JARS["one"]
    assert "one-1.0.jar" in repository.asked
    assert "two-1.0.jar" not in repository.asked


def test_archive_that_is_not_the_pinned_one_is_refused(library: Library, repository: Repository) -> None:
    """Another file under the right name never enters the cache, and the message says which and from where."""
    repository.offer("two", _JARS["two"].swapcase())

    with pytest.raises(Unreachable, match=r"two-1\.0\.jar .* SHA-256") as raised:
        library.fetch("sample")

    assert repository.url in str(raised.value)
    assert not list(library.cache.rglob("two-1.0.jar"))


def test_unreachable_repository_is_reported_with_the_remedy(tmp_path: Path, library: Library) -> None:
    """The error names the file and the repository; its hint suggests a proxy, a mirror or an existing broker."""
    url = f"http://127.0.0.1:{free_ports(1)[0]}"

    with pytest.raises(Unreachable, match=f"cannot fetch one-1.0.jar from {url}") as raised:
        Library(tmp_path / "other", url, library.pins).fetch("sample")

    assert all(word in raised.value.hint for word in ("HTTPS_PROXY", "MAVEN_REPOSITORY", "KAFKA_BOOTSTRAP"))


def test_a_mirror_stands_in_for_maven_central(tmp_path: Path, library: Library, repository: Repository) -> None:
    """`MAVEN_REPOSITORY` names where everything is fetched from; without it that is Maven Central."""
    environ = {"XDG_CACHE_HOME": str(tmp_path / "user")}
    mirrored = Library.of_user({**environ, "MAVEN_REPOSITORY": f"{repository.url}/"})

    assert Library.of_user(environ).repository.endswith("/maven2")
    fetched = dataclasses.replace(mirrored, pins=library.pins).fetch("sample")
    assert [path.read_bytes() for path in fetched] == list(_JARS.values())


def test_interrupted_fetch_continues(library: Library, repository: Repository) -> None:
    """What arrived before a failure is kept; what a killed fetch left unfinished does no harm."""
    (library.cache / "sample").mkdir(parents=True)
    (library.cache / "sample" / "one-1.0.jar.part").write_bytes(b"half of the fi")
    repository.offer("two", b"broken")
    with pytest.raises(Unreachable):
        library.fetch("sample")
    repository.offer("two", _JARS["two"])
    repository.asked.clear()

    library.fetch("sample")

    assert "one-1.0.jar" not in repository.asked


def test_processes_that_fetch_at_once_fetch_once(library: Library, repository: Repository) -> None:
    """Two processes on one empty cache both get intact archives, and each archive is fetched once."""
    program = (
        "from pathlib import Path; from connector.devservers.artifacts import Library;"
        f"Library(Path({str(library.cache)!r}), {library.repository!r}, Path({str(library.pins)!r})).fetch('sample')"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2)]

    assert [process.wait(60) for process in processes] == [0, 0]
    assert [path.read_bytes() for path in library.fetch("sample")] == list(_JARS.values())
    assert sorted(name for name in repository.asked if name.endswith(".jar")) == ["one-1.0.jar", "two-1.0.jar"]


def test_damaged_unpacked_archive_is_fetched_and_unpacked_again(
    tmp_path: Path, library: Library, repository: Repository
) -> None:
    """A changed, missing or added file in an unpacked archive is noticed, and the archive is restored."""
    (tmp_path / "hello.txt").write_text("hello")
    with tarfile.open(tmp_path / "app.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "hello.txt", "app/hello.txt")
    content = (tmp_path / "app.tar.gz").read_bytes()
    repository.offer("app", content, "tar.gz")
    (library.pins / "app.sha256").write_text(_pin(content, "org.example:app:1.0:tar.gz"))
    listing = f"{hashlib.sha256(b'hello').hexdigest()}  app/hello.txt\n"
    tree = hashlib.sha256(listing.encode()).hexdigest()
    unpacked = library.unpack("app", tree)

    for damage in (unpacked / "app" / "hello.txt", unpacked / "app" / "added.txt"):
        damage.write_text("hullo")
        library.unpack("app", tree)
        assert [path.read_text() for path in unpacked.rglob("*.txt")] == ["hello"]
