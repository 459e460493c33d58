"""What honest clients see while others attack: the time of single photos, quiet and under each attack.

    python bench/attacks.py [--seconds S] [--rate N] [--only NAME]

The service is started here, on a free port of 127.0.0.1, with the default settings. One honest client sends a small
photo at a fixed rate over kept connections; each attack runs from a process of its own, after a quiet span, and ends
before the next one begins. The attackers get what the service and the honest client leave of the processors.
"""

import argparse
import http.client
import io
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hostile_files import progressive_jpeg, webp_of_one_colour
from service import find_descendants, open_service

BOUNDARY: Final = "hangtag-bench"
FORM: Final = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
CONNECTIONS: Final = 4
IDLE_SHARE: Final = 0.03
WARM_S: Final = 2.0
HELD_CONNECTIONS: Final = 1024
SENT_BYTES: Final = 32_768
"""How much an attacker sends at a time. While a process is in the kernel, nothing else gets its processor."""


@dataclass
class Seen:
    """What the honest client saw: seconds of each answer, and how often which status came (0: none)."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    peak_mb: float = 0.0

    def milliseconds(self, percent: float) -> float:
        """Return the time that this share of the answers did not exceed."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def build_form(field_name: str, files: list[tuple[str, bytes]]) -> bytes:
    """Return a multipart body."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field_name}"; filename='
    parts = [f'{head}"{name}"\r\n\r\n'.encode() + data + b"\r\n" for name, data in files]
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return an image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(side: int) -> Image.Image:
    """Return a picture whose pixels take many bits."""
    return Image.frombytes("RGB", (side, side), os.urandom(side) * (3 * side))


def post(port: int, path: str, body: bytes, timeout_s: float = 30.0) -> tuple[int, bytes]:
    """Send a form; return the status and the answer, 0 where there is none in time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s, blocksize=SENT_BYTES)
    try:
        connection.request("POST", path, io.BytesIO(body), FORM | {"Content-Length": str(len(body))})
        response = connection.getresponse()
        return response.status, response.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def send_photos(files: list[tuple[str, bytes]], leave_s: float) -> Callable[[int, float], None]:
    """Return an attack that sends requests of photos, four at a time, and leaves each after a while."""
    body = build_form("photos", files)

    def attack(port: int, until: float) -> None:
        def run() -> None:
            while time.monotonic() < until:
                post(port, "/api/v1/predictions", body, leave_s)

        run_threads([run] * 4)

    return attack


def send_to_batch(files: list[tuple[str, bytes]]) -> Callable[[int, float], None]:
    """Return an attack that sends files to a new batch, six at a time."""
    body = build_form("files", files)

    def attack(port: int, until: float) -> None:
        def run() -> None:
            while time.monotonic() < until:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                with suppress(OSError):
                    connection.request("POST", "/api/v1/batches", b"{}", {"Content-Type": "application/json"})
                    batch = connection.getresponse().read().partition(b'"id":"')[2][:12].decode()
                    post(port, f"/api/v1/batches/{batch}/files", body, max(0.1, until - time.monotonic()))
                connection.close()

        run_threads([run] * 6)

    return attack


def hold_connections(port: int, until: float) -> None:
    """Open 1,024 connections, half of them with the beginning of a request, and open anew those that are ended."""
    opened: list[socket.socket] = []
    while time.monotonic() < until:
        while len(opened) < HELD_CONNECTIONS:
            with suppress(OSError):
                opened.append(socket.create_connection(("127.0.0.1", port), timeout=3))
                if len(opened) % 2:
                    opened[-1].sendall(b"POST /api/v1/predictions HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        time.sleep(0.5)
        opened = [connection for connection in opened if not has_ended(connection)]


def has_ended(connection: socket.socket) -> bool:
    """Return whether the other side closed a connection."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def drip_uploads(port: int, until: float) -> None:
    """Send 60 uploads of 16 MB each quickly at first, and then a byte now and then."""
    head = (
        f"POST /api/v1/predictions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {FORM['Content-Type']}\r\n"
        "Content-Length: 200000000\r\n\r\n"
    )
    start = build_form("photos", [("a.jpg", bytes(16_000_000))])[: -len(BOUNDARY) - 10]
    opened = []
    for _ in range(60):
        with suppress(OSError):
            connection = socket.create_connection(("127.0.0.1", port), timeout=3)
            connection.sendall(head.encode() + start)
            opened.append(connection)
    while time.monotonic() < until:
        time.sleep(0.5)
        for connection in opened:
            with suppress(OSError):
                connection.sendall(b"\0")


def run_threads(work: list[Callable[[], None]]) -> None:
    """Run functions at the same time, and wait for them."""
    threads = [threading.Thread(target=run) for run in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def wide_table(columns: int, megabytes: int) -> bytes:
    """Return a CSV of many columns that names no photo."""
    row = ",".join(["a"] * columns) + "\n"
    head = ",".join(f"c{number}" for number in range(columns)) + "\n"
    return (head + row * (megabytes * 1_000_000 // len(row))).encode()


def index_of_zip(entries: int) -> bytes:
    """Return a zip that is nearly all index."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(entries):
            archive.writestr(f"{number}.jpg", b"")
    return buffer.getvalue()


def make_attack(name: str) -> Callable[[int, float], None]:
    """Return an attack by its name; its files are made here, in the attacker's process."""
    if name == "connections":
        return hold_connections
    if name == "slow uploads":
        return drip_uploads
    if name == "wide tables":
        return send_to_batch([("t.csv", wide_table(500, 6)), ("a.png", encode(noise(40), "PNG"))])
    if name == "zips of indexes":
        return send_to_batch([("z.zip", index_of_zip(30_000))])
    if name == "batch of WebPs of 22 MP":
        webp = webp_of_one_colour((4600, 4700))
        return send_to_batch([(f"{number}.webp", webp + bytes([number])) for number in range(50)])
    photos: dict[str, tuple[Callable[[], bytes], int]] = {
        "WebPs of 64 MP": (lambda: webp_of_one_colour((8000, 8000)), 500),
        "WebPs of 22 MP": (lambda: webp_of_one_colour((4600, 4700)), 200),
        "progressive JPEGs": (lambda: progressive_jpeg((4000, 4000), 50), 20),
        "JPEGs of 16 MP": (lambda: encode(noise(1000).resize((4000, 4000)), "JPEG"), 30),
        "PNGs of 4 MP": (lambda: encode(noise(2000), "PNG", compress_level=1), 60),
    }
    photo, count = photos[name]
    data = photo()
    return send_photos([(str(number), data) for number in range(count)], 3.0)


ATTACKS: Final = (
    "WebPs of 64 MP",
    "WebPs of 22 MP",
    "progressive JPEGs",
    "JPEGs of 16 MP",
    "PNGs of 4 MP",
    "connections",
    "slow uploads",
    "zips of indexes",
    "batch of WebPs of 22 MP",
    "wide tables",  # what is left of them is read for minutes
)


def attack_from_here(
    name: str, port: int, seconds: float, ready: "multiprocessing.synchronize.Event"
) -> None:
    """Run an attack in this process."""
    if hasattr(os, "SCHED_IDLE"):  # as a rule, it has the processors of a machine of its own
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    attack = make_attack(name)
    ready.set()
    attack(port, time.monotonic() + seconds)
    os._exit(0)  # with all its connections


def be_honest(port: int, body: bytes, seconds: float, rate: float) -> Seen:
    """Send a request every 1/rate seconds over a few connections, and note what comes back."""
    seen, lock = Seen(), threading.Lock()
    started = time.monotonic()
    turns = iter(range(int(seconds * rate)))

    def run() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            with lock:
                turn = next(turns, None)
            if turn is None:
                return
            time.sleep(max(0.0, started + turn / rate - time.monotonic()))
            sent, status = time.monotonic(), 0
            try:
                connection.request("POST", "/api/v1/predictions", body, FORM)
                response = connection.getresponse()
                response.read()
                status = response.status
            except OSError:
                connection.close()
            with lock:
                seen.seconds.append(time.monotonic() - sent)
                seen.statuses[status] += 1

    run_threads([run] * CONNECTIONS)
    return seen


def measure(name: str, server: subprocess.Popen[str], port: int, options: argparse.Namespace) -> list[Seen]:
    """Return what the honest client sees while it is quiet, and then under an attack.

    The attack runs for a moment before, since whatever the service does for the first time takes longer.
    """
    body = build_form("photos", [("a.png", encode(noise(80), "PNG"))])
    with attacking(name, port, WARM_S):
        time.sleep(WARM_S)
    wait_until_idle(server.pid)
    quiet = be_honest(port, body, options.seconds, options.rate)
    with attacking(name, port, options.seconds + 1):
        reset_peak(server.pid)
        time.sleep(1.0)
        seen = be_honest(port, body, options.seconds, options.rate)
        seen.peak_mb = read_peak(server.pid)
    wait_until_idle(server.pid)
    return [quiet, seen]


def wait_until_idle(pid: int) -> None:
    """Wait until a process and its children take next to no processor time, for two minutes at most."""
    for _ in range(120):
        before = read_seconds(pid)
        time.sleep(1.0)
        if read_seconds(pid) - before < IDLE_SHARE:
            return


def read_seconds(pid: int) -> float:
    """Return the processor seconds that a process, its descendants and those that ended took."""
    ticks = 0
    for process in [pid, *find_descendants(pid)]:
        with suppress(OSError):  # it may have ended
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def attacking(name: str, port: int, seconds: float) -> Iterator[None]:
    """Attack for so many seconds from a process of its own; the block begins with the attack."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    attacker = context.Process(target=attack_from_here, args=(name, port, seconds, ready))
    attacker.start()
    ready.wait()
    try:
        yield
    finally:
        attacker.join(10)
        attacker.kill()


def reset_peak(pid: int) -> None:
    """Forget the highest memory of a process so far."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def read_peak(pid: int) -> float:
    """Return the highest memory of a process since then, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="Measure what honest clients see under attacks.")
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--rate", type=float, default=25)
    parser.add_argument("--only", choices=ATTACKS, action="append")
    parser.add_argument("--log", default=os.devnull, help="where the service's log goes")
    options = parser.parse_args()
    names = options.only or ATTACKS
    sys.stdout.write(
        "| attack | p50 ms | p99 ms | quiet p50 | quiet p99 | p99: times | answers | peak MB |\n"
    )
    sys.stdout.write("|---|---|---|---|---|---|---|---|\n")
    with (
        tempfile.TemporaryDirectory() as folder,
        open_service(Path(folder), log=options.log) as (server, port),
    ):
        be_honest(port, build_form("photos", [("a.png", encode(noise(80), "PNG"))]), 2, options.rate)
        for name in names:
            quiet, seen = measure(name, server, port, options)
            answers = ", ".join(f"{status}: {count}" for status, count in sorted(seen.statuses.items()))
            figures = [
                seen.milliseconds(50),
                seen.milliseconds(99),
                quiet.milliseconds(50),
                quiet.milliseconds(99),
            ]
            ratio = figures[1] / max(figures[3], 0.001)
            row = " | ".join(f"{figure:.1f}" for figure in figures)
            sys.stdout.write(f"| {name} | {row} | {ratio:.1f} | {answers} | {seen.peak_mb:.0f} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
