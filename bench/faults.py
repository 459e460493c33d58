"""Inject faults many times, and check that nothing that was acknowledged is lost.

    python bench/faults.py [--times 50] [--only NAME ...] [--restarts N]

Each round starts an action (an upload, labelling, a decision, an export, deleting a batch, learning), injects a fault
at a random file or database operation of it, ends the fault, and then looks for everything that was acknowledged in
this and all earlier rounds. Exits with 1 if something is lost. Kills end a separate process like `kill -9`. PostgreSQL
is really stopped and started. `--restarts` also restarts a service under load.
"""

import argparse
import http.client
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from attacks import FORM, build_form, encode, noise
from faulty_store import (
    ACTIONS,
    FAULTS,
    MOST_OPERATIONS,
    Diary,
    Fault,
    World,
    check,
    end_leases,
    fail,
    find_batch,
    kill,
    label,
    prepare,
    throw,
)
from hangtag.store.worker import LabellingWorker
from learning_shop import open_tiny_shop
from postgres import Server
from service import open_service

CHECKS: Final = 30
TRIES: Final = 6
"""How often a fault is retried whose operation the action did not reach. Such tries are not counted."""


@dataclass
class Outcome:
    """A fault, how often it was injected, and what was lost."""

    name: str
    injected: int = 0
    lost: list[str] = field(default_factory=list)


def learn(shop: Any, diary: Diary, dice: object) -> None:  # noqa: ANN401 - as above
    """Learn a version from the checks, as if somebody had asked for it."""
    del diary, dice
    shop.learning.learn(None, "Shop", "ann")
    shop.worker.step()


def inject(name: str, times: int, strike: Callable[[World], bool], world: World) -> Outcome:
    """Inject a fault this many times, and look for losses after each."""
    outcome = Outcome(name)
    for _ in range(TRIES * times):
        if outcome.injected == times:
            break
        outcome.injected += strike(world)
        lost = check(world)
        if lost is not None:
            outcome.lost.append(lost)
    return outcome


def iter_outcomes(times: int, wanted: Callable[[str], bool], seed: int) -> Iterator[Outcome]:
    """Inject all wanted faults."""
    for fault, strike in FAULTS.items():
        for action_name, action in ACTIONS.items():
            name = f"{fault}: {action_name}"
            if wanted(name):

                def run(world: World, strike: Any = strike, action: Any = action) -> bool:  # noqa: ANN401
                    prepare(world, action)
                    return bool(strike(world, action))

                with tempfile.TemporaryDirectory() as folder:
                    yield inject(name, times, run, World(Path(folder), throw(seed)))
    if wanted("kill -9: learning"):
        with tempfile.TemporaryDirectory() as folder:
            yield inject_into_learning(times, World(Path(folder), throw(seed), open_shop=open_tiny_shop))
    yield from iter_postgres(times, wanted, seed)


def apart(work: Callable[[], str | None]) -> str | None:
    """Work in a separate process, since a model's threads do not survive a fork. Return its message."""
    reader, writer = os.pipe()
    process = os.fork()
    if not process:
        said = "it failed"
        try:
            said = work() or ""
        finally:
            os.write(writer, said.encode()[:4000])
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(process, 0)
    return said or None


def inject_into_learning(times: int, world: World) -> Outcome:
    """Kill processes that learn. No check may be lost, and the next process has to learn what was requested."""

    def begin() -> None:
        with world.shop() as shop:
            shop.check(shop.draw(40), CHECKS)

    def look() -> str | None:
        with world.shop() as shop:
            while shop.worker.step():
                pass
            batch = shop.batches.page(archived=False, text="", page=(0, 1))[0][0]["id"]
            checked = [product for product in shop.list(batch) if product["state"] != "to_check"]
            models, _ = shop.models.list_versions()
            missing = [model["id"] for model in models if not shop.models.bundle(model["id"]).exists()]
            if len(checked) != CHECKS or missing:
                return f"{len(checked)} checks of {CHECKS}; without a file: {missing}"
            return None if models else "nothing was learnt"

    apart(begin)
    outcome = Outcome("kill -9: learning")
    for _ in range(TRIES * times):
        if outcome.injected == times:
            break
        outcome.injected += kill(world, learn)
        lost = apart(look)
        if lost is not None:
            outcome.lost.append(lost)
    return outcome


def iter_postgres(times: int, wanted: Callable[[str], bool], seed: int) -> Iterator[Outcome]:
    """Stop PostgreSQL during actions and start it again; kill one of several services that share it."""
    names = [f"PostgreSQL stopped: {name}" for name in ACTIONS] + ["service killed, another goes on"]
    if not any(map(wanted, names)):
        return
    server = Server()
    try:
        for name, action in zip(names, ACTIONS.values(), strict=False):
            if wanted(name):

                def run(world: World, action: Any = action) -> bool:  # noqa: ANN401
                    prepare(world, action)
                    fault = Fault(world.dice.randint(1, MOST_OPERATIONS // 2), lambda _: server.pause())
                    is_hit: bool = fail(world, action, fault, server.go_on)
                    return is_hit

                with tempfile.TemporaryDirectory() as folder:
                    yield inject(name, times, run, World(Path(folder), throw(seed), server.make_database()))
        if wanted(names[-1]):
            with tempfile.TemporaryDirectory() as folder:
                world = World(Path(folder), throw(seed), server.make_database())
                yield inject(names[-1], times, take_over, world)
    finally:
        server.stop()


def take_over(world: World) -> bool:
    """Kill a process that labels, and let another one, which shares the database, label the rest."""
    prepare(world, label)
    with world.shop() as shop:
        batch = find_batch(shop, world.diary)
        names = {
            f"{world.dice.randrange(10**9)}.png": ("Red", world.dice.randrange(60_000)) for _ in range(5)
        }
        shop.add(batch, names)
        world.diary.note({"kind": "photos", "batch": batch, "names": list(names)})
    is_killed: bool = kill(world, label)
    with world.shop() as shop:
        end_leases(shop)
        LabellingWorker(shop.store, shop.load).label_all()
    return is_killed


def restart_under_load(times: int) -> Counter[str]:
    """Restart a service while clients send photos over open connections. Return the outcomes of their requests."""
    seen: Counter[str] = Counter()
    body = build_form("photos", [("a.png", encode(noise(60), "PNG"))])
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder, open_service(Path(folder)) as (server, port):
            until = threading.Event()

            def send(port: int = port, until: threading.Event = until) -> None:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                while not until.is_set():
                    is_kept = connection.sock is not None
                    try:
                        connection.request("POST", "/api/v1/predictions", body, FORM)
                        response = connection.getresponse()
                        response.read()
                        seen[str(response.status)] += 1
                    except (OSError, http.client.HTTPException):
                        connection.close()
                        seen["dropped on a kept connection" if is_kept else "no new connection"] += 1
                        time.sleep(0.05)

            threads = [threading.Thread(target=send) for _ in range(8)]
            for thread in threads:
                thread.start()
            time.sleep(3)
            server.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                server.wait(60)
            until.set()
            for thread in threads:
                thread.join()
    return seen


def main() -> int:
    """Inject all faults and print a table."""
    parser = argparse.ArgumentParser(description="Inject faults, and look for what is lost.")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--only", nargs="*", default=[], help="parts of names")
    parser.add_argument("--restarts", type=int, default=0)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    sys.stdout.write("| fault | injected | lost |\n|---|---|---|\n")
    lost = 0

    def wanted(name: str) -> bool:
        return not options.only or any(part in name for part in options.only)

    for outcome in iter_outcomes(options.times, wanted, options.seed):
        lost += len(outcome.lost)
        sys.stdout.write(f"| {outcome.name} | {outcome.injected} | {len(outcome.lost)} |\n")
        sys.stdout.flush()
        for problem in outcome.lost[:3]:
            sys.stderr.write(f"{outcome.name}: {problem}\n")
    if options.restarts:
        seen = restart_under_load(options.restarts)
        said = ", ".join(f"{name}: {count:,}" for name, count in sorted(seen.items()))
        sys.stdout.write(f"\n{options.restarts} restarts under load: {said}\n")
        lost += seen["dropped on a kept connection"]
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
