"""A PostgreSQL server for the tests, from installed binaries. Each test gets its own database."""

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from hangtag.store.database import open_database

FLAGS = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c listen_addresses= -c max_connections=60"


@cache
def find_binaries():
    """Return the folder of PostgreSQL's programs; None if it is not installed."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


def _find_user():
    """Return the user that runs PostgreSQL, which refuses to run as root."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    return None


class Server:
    """A running server that listens on a socket in its own folder."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="hangtag-pg-"))
        self._user = _find_user()
        if self._user is not None:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        self._migrated = None
        self._run("initdb", "-D", "data", "-U", "hangtag", "--auth=trust", "--no-sync", "-E", "UTF8")
        self.go_on()

    def _run(self, program, *arguments):
        user = {} if self._user is None else {"user": self._user.pw_uid, "group": self._user.pw_gid}
        subprocess.run(
            [find_binaries() / program, *arguments],
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            extra_groups=[] if user else None,
            **user,
        )

    def go_on(self):
        """Start the server if it is not running."""
        if not (self.folder / "data" / "postmaster.pid").exists():
            options = f"-k {self.folder} {FLAGS}"
            self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def pause(self):
        """Stop the server: it aborts work in progress, and keeps what was committed."""
        self._run("pg_ctl", "-D", "data", "-w", "-m", "fast", "stop")

    def make_database(self):
        """Make an empty database and return its URL."""
        return self._make("template1")

    def copy_migrated(self):
        """Make a database with the store's tables, which are migrated only once, and return its URL."""
        if self._migrated is None:
            self._migrated = self.make_database()
            open_database(self._migrated).dispose()
        return self._make(make_url(self._migrated).database)

    def _make(self, template):
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(
            host=str(self.folder), user="hangtag", dbname="postgres", autocommit=True
        ) as own:
            own.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return f"postgresql://hangtag@/{name}?host={self.folder}"

    def stop(self):
        """Stop the server and remove its folder."""
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


_running = []


def get_server():
    """Return this process's server, which is started on the first call. Skip the test if there is none."""
    if find_binaries() is None:
        pytest.skip("PostgreSQL is not installed")
    if os.geteuid() == 0 and _find_user() is None:
        pytest.skip("PostgreSQL does not run as root, and there is no other user")
    if not hasattr(socket, "AF_UNIX"):
        pytest.skip("PostgreSQL's tests need Unix sockets")
    if not _running:
        _running.append(Server())
    return _running[0]


def stop_server():
    """Stop this process's server if there is one."""
    while _running:
        _running.pop().stop()
