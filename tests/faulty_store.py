"""A store in which something fails during people's actions, and a record of what was acknowledged before.

`bench/faults.py` injects these faults many times; the tests of the store a few times.
"""

import errno
import os
import random
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from crashing_store import COLOURS, KILLED, Crash, Diary, find_fault
from hangtag.domain.errors import StoreError
from hangtag.store import store as stores
from hangtag.store.decisions import Decision
from hangtag.store.exports import export_batch
from hangtag.store.faults import find_fault as find_store_fault
from hangtag.store.index import Filter
from hangtag.tables.writing import render
from store_shop import open_shop

MOST_OPERATIONS: Final = 40
MOST_UPLOADS: Final = 20
FILE_OPERATIONS: Final = ("replace", "unlink", "mkdir", "write_bytes")


@dataclass
class World:
    """A store, what was acknowledged, and a random generator."""

    folder: Path
    dice: random.Random
    url: str | None = None
    open_shop: Callable[..., Any] = open_shop

    @property
    def diary(self) -> Diary:
        """What was acknowledged."""
        return Diary(self.folder / "diary")

    @contextmanager
    def shop(self) -> Iterator[Any]:
        """Yield the reopened store."""
        shop = self.open_shop(self.folder, self.url)
        try:
            yield shop
        finally:
            shop.store.engine.dispose()


def upload(shop: Any, diary: Diary, dice: random.Random) -> None:
    """Add two photos to a batch."""
    batch = find_batch(shop, diary, MOST_UPLOADS)
    names = {f"{dice.randrange(10**9)}.png": (dice.choice(COLOURS), dice.randrange(60_000)) for _ in range(2)}
    shop.add(batch, names, key=str(dice.random()))
    diary.note({"kind": "photos", "batch": batch, "names": list(names)})


def label(shop: Any, diary: Diary, dice: random.Random) -> None:
    """Label what `prepare` has added."""
    del diary, dice
    shop.label()


def decide(shop: Any, diary: Diary, dice: random.Random) -> None:
    """Set the colour of a product."""
    batch = find_batch(shop, diary)
    chosen, colour = dice.choice(shop.list(batch)), dice.choice(COLOURS)
    said = {"batch": batch, "photo": chosen["photos"][0]["name"], "colour": colour}
    diary.note(said | {"kind": "saying"})
    shop.decisions.decide(batch, Decision(products=(int(chosen["id"]),), set={"baseColour": colour}), "ann")
    diary.note(said | {"kind": "said"})


def export(shop: Any, diary: Diary, dice: random.Random) -> None:
    """Write a batch as CSV."""
    del dice
    table = export_batch(shop.products, find_batch(shop, diary), Filter())
    b"".join(render(table.kinds, table.rows, "csv"))


def delete(shop: Any, diary: Diary, dice: random.Random) -> None:
    """Delete a batch that was made for this and shares no photo."""
    del dice
    for batch in shop.batches.page(archived=False, text="gone", page=(0, 1))[0]:
        shop.batches.delete(batch["id"])
        diary.note({"kind": "deleted", "id": batch["id"]})


def throw(seed: int) -> random.Random:
    """Return a random generator that always gives the same numbers."""
    return random.Random(seed)


def find_batch(shop: Any, diary: Diary, most: int | None = None) -> str:
    """Return the batch to work on. When it has `most` uploads, a new one is made."""
    entries = diary.read()
    made = [str(entry["batch"]) for entry in entries if entry["kind"] == "batch"]
    uploads = [entry for entry in entries if entry["kind"] == "photos" and entry["batch"] in made[-1:]]
    if made and (most is None or len(uploads) < most):
        return made[-1]
    batch = shop.batches.create("kept", None, "ann")["id"]
    diary.note({"kind": "batch", "batch": batch})
    return str(batch)


def prepare(world: World, action: Callable[..., None]) -> None:
    """Give an action something to do, without a fault."""
    with world.shop() as shop:
        upload(shop, world.diary, world.dice)  # so that there is always a product to decide on
        if action is not label:
            shop.label()
        if action is delete and not shop.batches.page(archived=False, text="gone", page=(0, 1))[1]:
            batch = shop.batches.create("gone", None, "ann")["id"]
            shop.add(batch, {"a.png": ("Red", 60_001 + world.dice.randrange(5000))})


def check(world: World) -> str | None:
    """Return what is lost of all that was acknowledged; None if nothing is."""
    entries = world.diary.read()
    with world.shop() as shop:
        shop.store.folder.clear_incoming()
        end_leases(shop)
        gone = {entry["id"] for entry in entries if entry["kind"] == "deleted"}
        there = {batch["id"] for batch in shop.batches.page(archived=False, text="", page=(0, 500))[0]}
        if gone & there:
            return f"{gone & there} was deleted and is there"
        return find_fault(shop, list(iter_acknowledged(entries)))


def iter_acknowledged(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what was acknowledged. A decision does not count if the photo got a later one without an answer."""
    open_ = {}
    for entry in entries:
        if entry["kind"] == "saying":
            open_[entry["batch"], entry["photo"]] = entry["colour"]
        elif entry["kind"] == "said":
            open_.pop((entry["batch"], entry["photo"]), None)
    for entry in entries:
        is_open = (entry.get("batch"), entry.get("photo")) in open_
        if entry["kind"] in ("batch", "photos") or (entry["kind"] == "said" and not is_open):
            yield entry


def end_leases(shop: Any) -> None:
    """Advance the clock past the leases, so that another service may continue the work of a dead one."""
    if shop.store.engine.dialect.name == "postgresql":
        with shop.store.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE claims SET expires = now() - interval '1 minute'")


class Fault:
    """Does something once, at the n-th file or database operation of an action."""

    def __init__(self, at: int, strike: Callable[[bool], None]) -> None:
        self._left = at
        self._strike = strike
        self.has_struck = False

    @contextmanager
    def armed(self, engine: Any) -> Iterator[None]:
        """Count operations within the block."""
        kept = {name: getattr(Path, name) for name in FILE_OPERATIONS}
        event.listen(engine, "before_cursor_execute", self._count_statement)
        for name, operate in kept.items():
            setattr(Path, name, self._counted(operate))
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", self._count_statement)
            for name, operate in kept.items():
                setattr(Path, name, operate)

    def _counted(self, operate: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self._count(in_database=False)
            return operate(*arguments, **options)

        return counted

    def _count_statement(self, *_: object) -> None:
        self._count(in_database=True)

    def _count(self, *, in_database: bool) -> None:
        self._left -= 1
        if not self._left:
            self.has_struck = True
            self._strike(in_database)


def kill(world: World, action: Callable[..., None]) -> bool:
    """Act in a process that ends at an operation. Return whether it did."""
    process = os.fork()
    if not process:
        with suppress(BaseException), world.shop() as shop:
            crash = Crash(world.dice.randint(1, MOST_OPERATIONS))
            crash.watch_database(shop.store.engine)
            for name in FILE_OPERATIONS:
                crash.watch(Path, name)
            action(shop, world.diary, world.dice)
            os._exit(0)
        os._exit(1)
    world.dice.random()  # the child used its own random numbers
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if status not in {0, KILLED}:
        raise RuntimeError(f"a process left with {status}")
    return bool(status)


def fail(
    world: World, action: Callable[..., None], fault: Fault, end: Callable[[], None] = lambda: None
) -> bool:
    """Act while a fault strikes, end it, and act again, which has to work. Return whether it struck."""
    with world.shop() as shop:
        with fault.armed(shop.store.engine):
            try:
                action(shop, world.diary, world.dice)
            except (OSError, SQLAlchemyError, StoreError) as error:
                if find_store_fault(error) is None:
                    raise
            finally:
                end()
        if fault.has_struck:
            action(shop, world.diary, world.dice)
    return fault.has_struck


def fill_disk(world: World, action: Callable[..., None]) -> bool:
    """Make the disk full for a file or the database."""

    def strike(in_database: bool) -> None:  # noqa: FBT001 - called by `Fault` alone
        if in_database:
            full = sqlite3.OperationalError("database or disk is full")
            full.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise OperationalError("", {}, full)
        raise OSError(errno.ENOSPC, "No space left on device")

    return fail(world, action, Fault(world.dice.randint(1, MOST_OPERATIONS // 2), strike))


def lock_database(world: World, action: Callable[..., None]) -> bool:
    """Let another program lock the database during an action."""
    with (
        closing(sqlite3.connect(world.folder / "test.db", isolation_level=None)) as other,
        world.shop() as shop,
    ):
        event.listen(
            shop.store.engine,
            "begin",
            lambda open_: open_.exec_driver_sql("PRAGMA busy_timeout = 5"),
            insert=True,
        )
        other.execute("BEGIN IMMEDIATE")
        try:
            action(shop, world.diary, world.dice)
        except (SQLAlchemyError, StoreError) as error:
            if find_store_fault(error) is None:
                raise
        other.execute("ROLLBACK")
        action(shop, world.diary, world.dice)
    return True


def remove_database(world: World, action: Callable[..., None]) -> bool:
    """Remove the database file during an action, and put it back."""
    path, away = world.folder / "test.db", world.folder / "away.db"

    def end() -> None:
        if away.exists():
            away.rename(path)

    return fail(
        world,
        action,
        Fault(world.dice.randint(1, MOST_OPERATIONS // 2), lambda _: path.rename(away) and None),
        end,
    )


def jump_clock(world: World, action: Callable[..., None]) -> bool:
    """Set the clock years off during an action."""
    days = world.dice.choice((-4000, -1, 1, 4000))
    true_now = stores.now
    known = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("hangtag.") and getattr(module, "now", None) is true_now
    ]
    for module in known:
        module.now = lambda: true_now() + timedelta(days=days)  # type: ignore[attr-defined]
    try:
        with world.shop() as shop:
            action(shop, world.diary, world.dice)
    finally:
        for module in known:
            module.now = true_now  # type: ignore[attr-defined]
    return True


ACTIONS: Final = {
    "upload": upload,
    "labelling": label,
    "decision": decide,
    "export": export,
    "delete": delete,
}
FAULTS: Final[dict[str, Callable[[World, Callable[..., None]], bool]]] = {
    "kill -9": kill,
    "disk full": fill_disk,
    "database locked": lock_database,
    "database removed": remove_database,
    "clock off": jump_clock,
}
