"""A service under twice its sustainable load, with hostile files in between: latencies, refusals and memory.

    python bench/soak.py [--minutes 10] [--plot FILE]

First it measures how many requests per second the service answers when eight clients send as fast as they can. Then
requests come at twice that rate, whether or not earlier ones are answered; one in twenty has hostile files. After a
503, a client waits as long as `Retry-After` says. Prints a line for each time slice, draws a plot, and exits with 1 if
a request got a 500, a refusal gave no time, or a connection broke.
"""

import argparse
import http.client
import itertools
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from attacks import FORM, build_form, encode, noise
from hostile_files import progressive_jpeg, webp_of_one_colour
from service import open_service

CONNECTIONS: Final = 48
SLICES: Final = 12
PHOTOS: Final = 8
HOSTILE_ONE_IN: Final = 20
OVERLOAD: Final = 2.0
WARM_S: Final = 8.0


@dataclass
class Slice:
    """A time slice: seconds of each response, statuses, refusals without a time, memory in MB."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    without_time: int = 0
    memory_mb: float = 0.0

    def milliseconds(self, percent: float) -> float:
        """Return the time that this share of the answers did not exceed."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


class Load:
    """Sends requests at a rate, or as fast as they are answered, over several connections."""

    def __init__(self, port: int, bodies: tuple[list[bytes], list[bytes]], rate: float | None) -> None:
        self._port = port
        self._honest, self._hostile = bodies
        self._rate = rate
        self._turns = itertools.count()
        self._lock = threading.Lock()
        self._started = time.monotonic()

    def run(self, seconds: float, slices: list[Slice], connections: int) -> None:
        """Send until the time is up. Each response is counted in its slice."""
        until = self._started + seconds

        def work() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            while time.monotonic() < until:
                with self._lock:
                    turn = next(self._turns)
                if self._rate is not None:
                    time.sleep(max(0.0, self._started + turn / self._rate - time.monotonic()))
                place = min(len(slices) - 1, int((time.monotonic() - self._started) / seconds * len(slices)))
                time.sleep(self._send(connection, turn, slices[place]))

        threads = [threading.Thread(target=work) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _send(self, connection: http.client.HTTPConnection, turn: int, into: Slice) -> float:
        """Send a request. Return how long its client has to wait."""
        is_hostile = bool(self._hostile) and turn % HOSTILE_ONE_IN == 0
        bodies = self._hostile if is_hostile else self._honest
        sent, status, wait_s, says_when = time.monotonic(), 0, 0.0, True
        try:
            connection.request("POST", "/api/v1/predictions", bodies[turn // 3 % len(bodies)], FORM)
            response = connection.getresponse()
            response.read()
            status = response.status
            if status == http.client.SERVICE_UNAVAILABLE:
                says_when = response.getheader("Retry-After") is not None
                wait_s = float(response.getheader("Retry-After") or 0)
        except (OSError, http.client.HTTPException):
            connection.close()
        with self._lock:
            into.statuses[status] += 1
            into.without_time += not says_when
            if status == http.client.OK and not is_hostile:
                into.seconds.append(time.monotonic() - sent)
        return wait_s


def make_bodies() -> tuple[list[bytes], list[bytes]]:
    """Return the bodies of honest requests and of hostile ones."""
    honest = [
        build_form("photos", [(f"{number}.jpg", encode(noise(120), "JPEG")) for number in range(PHOTOS)])
        for _ in range(8)
    ]
    files = [
        [webp_of_one_colour((8000, 8000))] * 50,
        [webp_of_one_colour((4600, 4700))] * 4,
        [progressive_jpeg((4000, 4000), 50)] * 2,
        [encode(noise(1000).resize((4000, 4000)), "JPEG")] * 2,
        [os.urandom(20_000), b"", b"\xff\xd8\xff" + bytes(5000), b"GIF89a" + bytes(100)],
    ]
    hostile = [
        build_form("photos", [(str(number), data) for number, data in enumerate(group)]) for group in files
    ]
    return honest, hostile


def watch_memory(pid: int, slices: list[Slice], seconds: float) -> None:
    """Record the memory of a process at the end of each slice."""
    started = time.monotonic()
    for number, each in enumerate(slices, start=1):
        time.sleep(max(0.0, started + number * seconds / len(slices) - time.monotonic()))
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        each.memory_mb = int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def draw(slices: list[Slice], seconds: float, path: Path) -> None:
    """Draw the times, refusals and memory over time."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 - takes long, and only for this

    at = [(number + 1) * seconds / len(slices) / 60 for number in range(len(slices))]
    figure, (above, middle, below) = plt.subplots(3, 1, figsize=(7, 7), sharex=True, layout="constrained")
    above.plot(at, [each.milliseconds(50) for each in slices], label="p50")
    above.plot(at, [each.milliseconds(99) for each in slices], label="p99")
    above.set_ylabel("accepted, ms")
    above.legend(frameon=False)
    for status, name in ((200, "200"), (503, "503")):
        middle.plot(at, [each.statuses[status] for each in slices], label=name)
    middle.set_ylabel("answers")
    middle.legend(frameon=False)
    below.plot(at, [each.memory_mb for each in slices])
    below.set_ylim(bottom=0)
    below.set_ylabel("memory, MB")
    below.set_xlabel("minutes")
    figure.savefig(path, dpi=120)


def main() -> int:
    """Measure the sustainable load, send twice as much, and print a table."""
    parser = argparse.ArgumentParser(description="Soak the service.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--log", default=os.devnull)
    options = parser.parse_args()
    seconds = 60 * options.minutes
    honest, hostile = make_bodies()
    with (
        tempfile.TemporaryDirectory() as folder,
        open_service(Path(folder), log=options.log) as (server, port),
    ):
        Load(port, (honest, []), None).run(2, [Slice()], 8)
        warm = [Slice()]
        Load(port, (honest, []), None).run(WARM_S, warm, 8)
        rate = warm[0].statuses[200] / WARM_S
        idle = [Slice()]
        watch_memory(server.pid, idle, 0.1)
        slices = [Slice() for _ in range(SLICES)]
        watching = threading.Thread(target=watch_memory, args=(server.pid, slices, seconds))
        watching.start()
        Load(port, (honest, hostile), OVERLOAD * rate).run(seconds, slices, CONNECTIONS)
        watching.join()
    sys.stdout.write(
        f"sustained: {rate:.1f} requests of {PHOTOS} photos a second; memory {idle[0].memory_mb:.0f} MB\n\n"
    )
    sys.stdout.write(
        "| minutes | 200 | 503 | others | p50 ms | p99 ms | memory MB |\n|---|---|---|---|---|---|---|\n"
    )
    for number, each in enumerate(slices, start=1):
        others = {status: count for status, count in each.statuses.items() if status not in (200, 503)}
        row = [f"{number * seconds / SLICES / 60:.1f}", each.statuses[200], each.statuses[503], others or 0]
        row += [f"{each.milliseconds(50):.0f}", f"{each.milliseconds(99):.0f}", f"{each.memory_mb:.0f}"]
        sys.stdout.write("| " + " | ".join(map(str, row)) + " |\n")
    if options.plot:
        draw(slices, seconds, options.plot)
    broken = sum(each.statuses[0] + each.statuses[500] + each.without_time for each in slices)
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
