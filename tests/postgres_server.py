"""A PostgreSQL server of the tests' own: Debian's, in a temporary folder, on a free port.

It runs as an ordinary user, listens on the loopback address alone, and is stopped by its id, also
where the process that has started it is killed.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PASSWORD = "s3cret/Pw@9"
"""With letters that a URI must write otherwise."""
WRITTEN = "s3cret%2FPw%409"
USER = "historian"


@dataclass(frozen=True)
class Server:
    """One that runs."""

    port: int

    @property
    def uri(self) -> str:
        """With the password."""
        return f"postgresql://{USER}:{WRITTEN}@127.0.0.1:{self.port}/postgres"

    def execute(self, *statements: str) -> None:
        """Each in a transaction of its own."""
        import adbc_driver_postgresql.dbapi as driver

        with driver.connect(self.uri, autocommit=True) as connection:
            for statement in statements:
                with connection.cursor() as cursor:
                    cursor.execute(statement)


def program(name: str) -> str | None:
    """Where a program of the server is; Debian's are on no path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def running() -> Iterator[Server]:
    """A new server; skips where there is none, or no ordinary user to run it."""
    pytest.importorskip("adbc_driver_postgresql")
    initdb, postgres, setpriv = program("initdb"), program("postgres"), shutil.which("setpriv")
    if initdb is None or postgres is None or setpriv is None:
        pytest.skip(
            "no PostgreSQL server or no setpriv here: apt-get install postgresql util-linux"
        )
    folder = Path(tempfile.mkdtemp(prefix="dualgaf-postgres-"))
    as_user = [setpriv]
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
        as_user += ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
    try:
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        made = subprocess.run(
            [
                *(*as_user, initdb, "-N", "-D", folder / "data", "-U", USER),
                *("--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--locale=C.UTF-8"),
            ],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        server = Server(_free_port())
        with (folder / "log").open("w") as told:
            process = subprocess.Popen(
                [
                    *(*as_user, "--pdeathsig", "INT", postgres, "-D", folder / "data"),
                    *("-p", str(server.port), "-c", "listen_addresses=127.0.0.1"),
                    *("-c", "unix_socket_directories=", "-c", "fsync=off"),
                    *("-c", "shared_buffers=16MB", "-c", "timezone=Etc/UTC"),
                ],
                cwd=folder,
                stdout=told,
                stderr=told,
            )
        try:
            _wait(server.port, process, folder / "log")
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # ends connections, then itself
            process.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        if "ready to accept connections" in log.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(f"no server on port {port}:\n{log.read_text()}")
