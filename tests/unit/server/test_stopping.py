"""A service that is told to stop while photos are decoded that take long."""

import gc
import gzip
import http.client
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from hangtag.server import run
from hangtag.store.intake import IncomingFile, Intake, IntakeStoppedError
from hostile_files import webp_of_one_colour

STOP_TIMEOUT_S = 2
BOUNDARY = "stopping"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def build_form(field, count, side=4650):
    """Return a form of photos. Those of the usual size take a tenth of a second or more each, and a third of a GB."""
    photo = webp_of_one_colour((side, side))
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename='
    parts = [f'{head}"{number}.webp"\r\n\r\n'.encode() + photo + bytes([number]) for number in range(count)]
    return b"\r\n".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


SLOW_TABLE = b"\r\n".join(
    [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="a.csv.gz"\r\n'.encode(),
        gzip.compress(b"name\n" + b"\n" * 20_000_000, 1),
        f"--{BOUNDARY}--\r\n".encode(),
    ]
)
"""A form of a table of no rows that takes half a minute to read."""


def wait_for_reader(server):
    """Wait until a table is read, where the system lists a process's children."""
    tasks, until = Path(f"/proc/{server}/task"), time.monotonic() + 30
    while time.monotonic() < until:
        with suppress(OSError):  # a child or a thread has ended
            children = [child for task in tasks.glob("*/children") for child in task.read_text().split()]
            commands = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]
            if any(b"hangtag.tables.sandbox" in command for command in commands):
                break
        time.sleep(0.1)
    time.sleep(0.5)


def send(port, path, body, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with closing(connection):
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()


def fetch(port, path):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read().decode()


def test_what_is_loaded_at_the_start_is_not_looked_at_again():
    thresholds = gc.get_threshold()
    try:
        run.spare_garbage_collector()
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold() > thresholds
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


def test_an_upload_is_given_up_when_the_service_stops(tmp_path):
    (tmp_path / "a.csv").write_text("image\na.jpg\n")
    intake = Intake(None, tmp_path, 10)
    intake.stopping.set()
    with pytest.raises(IntakeStoppedError):
        intake.take(IncomingFile(tmp_path / "a.csv", "a.csv"))
    assert intake.sheets == intake.received == []


def test_a_stop_waits_for_no_photo_that_takes_long_and_loses_none(models, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HANGTAG_")}
    environment |= {"HANGTAG_MODELS": str(models), "HANGTAG_STOP_TIMEOUT_S": str(STOP_TIMEOUT_S)}
    command = [sys.executable, "-m", "hangtag.cli.main", "serve", "--port", "0", "--model", "tiny"]
    command += ["--data-folder", str(tmp_path)]
    begun = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        port = int(server.stdout.readline().rpartition(":")[2])
        start_s = time.monotonic() - begun
        batch = send(port, "/api/v1/batches", "{}", {"Content-Type": "application/json"})[1]
        batch = batch.partition('"id":"')[2][:12]
        assert send(port, f"/api/v1/batches/{batch}/files", build_form("files", 1, 40), FORM)[0] == 200
        while '"labelled":1' not in fetch(
            port, f"/api/v1/batches/{batch}"
        ):  # the worker has loaded its model
            time.sleep(0.1)
        assert send(port, f"/api/v1/batches/{batch}/files", build_form("files", 60), FORM)[0] == 200

        def ask():
            with suppress(OSError, http.client.HTTPException):
                send(port, "/api/v1/predictions", build_form("photos", 60), FORM)

        def send_table():
            with suppress(OSError, http.client.HTTPException):
                send(port, f"/api/v1/batches/{batch}/files", SLOW_TABLE, FORM)

        asking = [threading.Thread(target=target) for target in (ask, ask, *[send_table] * 4)]
        for thread in asking:
            thread.start()
        wait_for_reader(server.pid)
        server.send_signal(signal.SIGTERM)
        # Without a limit this takes minutes. On a busy machine everything takes longer, as the start did.
        assert server.wait(STOP_TIMEOUT_S + min(30, 10 + 5 * start_s)) == 0
        for thread in asking:
            thread.join()
    with closing(sqlite3.connect(tmp_path / "hangtag.db")) as database:
        waiting, answered = database.execute("SELECT sum(todo), sum(NOT todo) FROM photos").fetchone()
    assert waiting + answered == 61
    assert waiting > 0
