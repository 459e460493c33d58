"""The service as a process: how it starts, answers and ends."""

import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress

import pytest

from hangtag.bundle.file import write_bundle
from hangtag.client import Client
from hangtag.domain.errors import ServiceError
from tiny_bundle import build_tiny_card, build_tiny_graph, draw_png

SLOW_START_S = 120


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), folder / "tiny.onnx")
    return folder


@pytest.fixture
def start(models, tmp_path):
    """Start a service as a user would, and end it after the test."""
    started = []

    def start_(*options, **environment):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HANGTAG_")}
        command = [sys.executable, "-m", "hangtag.cli.main", "serve", "--model", "tiny", "--threads", "1"]
        command += ["--data-folder", str(tmp_path / "data"), *options]
        process = subprocess.Popen(
            command,
            env=kept | {"HANGTAG_MODELS": str(models)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start_
    for process in started:
        process.kill()
        process.communicate()


def address_of(process):
    line = process.stdout.readline()
    assert line.startswith("hangtag is running at http://127.0.0.1:"), (line, process.stderr.read())
    return line.split()[-1]


@contextmanager
def slow_upload(address):
    """Send a request's first half, and give the function that sends the rest and returns the response."""
    photo = draw_png(1)
    head = b'--b\r\nContent-Disposition: form-data; name="photos"; filename="a.png"\r\n\r\n'
    body = head + photo + b"\r\n--b--\r\n"
    with closing(
        http.client.HTTPConnection(address.removeprefix("http://"), timeout=SLOW_START_S)
    ) as connection:
        connection.putrequest("POST", "/api/v1/predictions")
        connection.putheader("Content-Type", "multipart/form-data; boundary=b")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:100])

        def finish():
            connection.send(body[100:])
            return connection.getresponse()

        yield finish


def wait_until_refused(address):
    deadline = time.monotonic() + SLOW_START_S
    with suppress(ConnectionRefusedError):
        while time.monotonic() < deadline:
            socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=5).close()
            time.sleep(0.2)
        pytest.fail("the service still takes connections")


def test_a_service_answers_its_client_and_ends_well(start, tmp_path):
    process = start("--port", "0")
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(5):
        (photos / f"{number}.png").write_bytes(draw_png(number))
    paths = sorted(photos.iterdir())
    with Client(address_of(process), timeout_s=SLOW_START_S) as client:
        answers = client.predict([*paths, b"no photo"]).photos
        assert [answer.status for answer in answers] == ["labelled"] * 5 + ["failed"]
        batch = client.create_batch("All")
        client.add_files(batch.id, paths)
        seen = []
        assert client.wait_for_batch(batch.id, seen.append).state == "ready"
        assert seen[-1].counts["labelled"] == 5
        products = list(client.iter_products(batch.id))
        assert [product.path for product in products] == [answer.path for answer in answers[:5]]
        table = client.export_batch(batch.id, tmp_path / "all.csv").read_text("utf-8")
        assert all(path.name in table for path in paths)
        client.delete_batch(batch.id)
        with pytest.raises(ServiceError) as refused:
            client.batch(batch.id)
        assert refused.value.service_code == "not_found"
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=SLOW_START_S)
    assert process.returncode == 0
    assert "Traceback" not in log
    assert "0.png" not in log
    assert "create_predictions" in log


def test_a_stop_finishes_what_is_under_way(start):
    process = start("--port", "0", HANGTAG_DRAIN_S="10")  # long enough for a machine that stalls
    address = address_of(process)
    watching = http.client.HTTPConnection(address.removeprefix("http://"), timeout=SLOW_START_S)
    with closing(watching), slow_upload(address) as finish:
        process.terminate()
        status = 200
        while status == 200:  # the signal takes a moment to arrive
            watching.request("GET", "/readyz")
            response = watching.getresponse()
            status = response.status
            response.read()
        assert status == 503
        wait_until_refused(address)  # past the drain the upload still goes on
        response = finish()
        assert response.status == 200
        assert b'"status":"labelled"' in response.read()
    _, log = process.communicate(timeout=SLOW_START_S)
    assert process.returncode == 0
    assert "Traceback" not in log


def test_a_second_signal_does_not_wait(start):
    process = start("--port", "0")
    address = address_of(process)
    with slow_upload(address):
        process.terminate()
        deadline = time.monotonic() + SLOW_START_S
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.3)
            process.terminate()
        assert process.poll() is not None


def test_a_gigabyte_that_nobody_announced_is_not_kept(start):
    process = start("--port", "0", HANGTAG_MAX_REQUEST_BYTES="3000000")
    address = address_of(process)
    before = _memory_of(process.pid)
    head = b'--b\r\nContent-Disposition: form-data; name="photos"; filename="a.png"\r\n\r\n'

    def pieces():
        yield head
        for _ in range(1000):
            yield bytes(1_000_000)

    with closing(
        http.client.HTTPConnection(address.removeprefix("http://"), timeout=SLOW_START_S)
    ) as connection:
        # The answer is there long before the end of the body, which is still taken and thrown away.
        connection.request(
            "POST",
            "/api/v1/predictions",
            pieces(),
            {"Content-Type": "multipart/form-data; boundary=b"},
            encode_chunked=True,
        )
        response = connection.getresponse()
        assert response.status == 413
        assert b'"code":"too_large"' in response.read()
        assert _memory_of(process.pid) - before < 100_000_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "nix"], "there is no model named 'nix'"),
        (["--host", "no such host"], "cannot listen on this address"),
        (["--port", "99999"], "--port"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_line(start, options, message):
    process = start("--port", "0", *options)
    _, errors = process.communicate(timeout=SLOW_START_S)
    assert process.returncode == 2
    assert message in errors
    assert "Traceback" not in errors


def test_an_address_that_is_taken_is_said_in_a_line(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start("--port", str(port))
        _, errors = process.communicate(timeout=SLOW_START_S)
    assert process.returncode == 2
    assert errors.startswith(f"error: 127.0.0.1:{port}: cannot listen on this address")


def _memory_of(pid):
    """Return the most memory that a process has ever held, in bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:  # noqa: PTH123 - it is not a path of ours
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def test_no_other_user_of_the_machine_can_read_the_data(start, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    (folder / "hangtag.db").touch(mode=0o644)  # as an earlier version left them
    address_of(start("--port", "0"))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    assert modes["hangtag.db"] == 0o600
    assert {name: f"{mode:o}" for name, mode in modes.items() if mode & 0o077} == {}
