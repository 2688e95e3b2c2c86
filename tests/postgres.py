"""A real PostgreSQL in a temporary folder, reached through a socket in it or on loopback: nothing stays."""

import contextlib
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg

from connector.devservers.child import Child, free_ports
from tests.debian import give, program, unprivileged

_READY = "database system is ready to accept connections"
_SETTINGS = {"listen_addresses": "", "fsync": "off", "max_connections": "20", "shared_buffers": "16MB"}


@contextlib.contextmanager
def server(*, tcp: bool = False) -> Iterator[str]:
    """Yield a connection string without a database; the server ends with the context. JDBC knows `tcp` alone."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: float(each.parent.name), reverse=True)
    initdb, postgres = (program(name, "postgresql", *versions) for name in ("initdb", "postgres"))
    # A socket's path is short, and not below a folder that is root's alone.
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as root:
        folder = Path(root)
        give(folder)
        data = folder / "data"
        make = [initdb, "--pgdata", str(data), "--username=cms", "--auth=trust", "--no-sync", "--encoding=UTF8"]
        subprocess.run(unprivileged([*make, "--locale=C"]), check=True, capture_output=True, cwd="/", timeout=60)
        (port,) = free_ports(1)
        listening = {"listen_addresses": "127.0.0.1"} if tcp else {}
        where = {"unix_socket_directories": root, "port": str(port), **listening}
        settings = [f"--{name}={value}" for name, value in {**_SETTINGS, **where}.items()]
        run = unprivileged([postgres, "-D", str(data), *settings])
        with Child(run, log=folder / "log", folder=Path("/"), env={"LC_ALL": "C"}) as child:
            assert child.said(_READY, 60), child.tail()
            yield f"host={'127.0.0.1' if tcp else root} port={port} user=cms"
            child.signal(signal.SIGINT)  # not waiting for clients
            child.wait(20)


def database(server: str) -> str:
    """Return the connection string of a new, empty database."""
    name = f"t{uuid.uuid4().hex[:10]}"
    with psycopg.connect(f"{server} dbname=postgres", autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    return f"{server} dbname={name}"
