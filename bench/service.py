"""A private service for a benchmark."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STOP_S = 60


@contextmanager
def open_service(
    folder: Path, *options: str, log: str = os.devnull, database: str | None = None
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start `hangtag serve` with its data in a folder. Yield its process and port once it responds, and stop it.

    `HANGTAG_*` environment variables are ignored. With a `database`, the store is in that one.
    """
    command = [sys.executable, "-m", "hangtag.cli.main", "serve", "--port", "0", "--data-folder", str(folder)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HANGTAG_")}
    if database is not None:
        environment["HANGTAG_DATABASE_URL"] = database
    with (
        Path(log).open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            [*command, *options], env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None  # noqa: S101 - for the type checker
            address = process.stdout.readline()
            if not address:
                raise SystemExit(f"the service does not start, see {log}")
            yield process, int(address.rpartition(":")[2])
        finally:
            process.terminate()
            process.wait(STOP_S)


def find_descendants(pid: int) -> list[int]:
    """Return the ids of a process's children and theirs."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [*children, *(below for child in children for below in find_descendants(child))]
