"""A store whose process ends, as if killed, before or after any of its file and database operations.

    python tests/crashing_store.py SEED ROUNDS

The parent records what was acknowledged before the end. Every round then checks that all of it is there, and nothing
twice. Exits with 1 and prints what is lost; also prints how many rounds ended early.
"""

import json
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

from sqlalchemy import event

from hangtag.store.decisions import Decision
from hangtag.store.exports import export_batch
from hangtag.store.index import Filter
from hangtag.tables.writing import render
from store_shop import Shop, open_shop

KILLED = 9
ROUNDS_OF_WORK = 6
COLOURS = ("Red", "Green", "Blue")


class Crash:
    """Ends the process at its n-th operation."""

    def __init__(self, at):
        self.left = at

    def count(self, *_):
        self.left -= 1
        if self.left <= 0:
            os._exit(KILLED)

    def watch(self, owner, name):
        operate = getattr(owner, name)

        def counted(*arguments, **options):
            self.count()
            result = operate(*arguments, **options)
            self.count()
            return result

        setattr(owner, name, counted)

    def watch_database(self, engine):
        event.listen(engine, "before_cursor_execute", self.count)
        event.listen(engine, "commit", self.count)
        event.listen(engine, "begin", self.count)


class Diary:
    """A record of what was acknowledged, written by the process that the service answered."""

    def __init__(self, path):
        self.path = path

    def note(self, entry):
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()

    def read(self):
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []


def work(shop: Shop, diary: Diary, dice: random.Random):
    """Do what people do: upload, decide, undo, export. Each acknowledgement is recorded."""
    known = diary.read()
    batches = [entry["batch"] for entry in known if entry["kind"] == "batch"]
    for turn in range(ROUNDS_OF_WORK):
        if not batches or dice.random() < 0.2:
            batch = shop.batches.create("b", None, "ann")["id"]
            diary.note({"kind": "batch", "batch": batch})
            batches.append(batch)
        batch = dice.choice(batches)
        action = dice.choice(["upload", "upload", "label", "decide", "undo", "export"])
        if action == "upload":
            names = {
                f"{dice.randrange(10**9)}_{view}.png": (dice.choice(COLOURS), dice.randrange(60_000))
                for view in ("front", "back")
            }
            shop.add(batch, names, key=f"{turn}-{dice.random()}")
            diary.note({"kind": "photos", "batch": batch, "names": list(names)})
        elif action == "label":
            shop.label()
        elif action == "decide":
            products = shop.list(batch)
            if products:
                chosen = dice.choice(products)
                colour = dice.choice(COLOURS)
                shop.decisions.decide(
                    batch, Decision(products=(int(chosen["id"]),), set={"baseColour": colour}), "ann"
                )
                photo = chosen["photos"][0]["name"]
                diary.note({"kind": "said", "batch": batch, "photo": photo, "colour": colour})
        elif action == "export":
            table = export_batch(shop.products, batch, Filter())
            b"".join(render(table.kinds, table.rows, "csv"))


def find_fault(shop: Shop, entries):
    """Return what is lost or duplicated of all that was acknowledged; None if nothing is."""
    shop.label()
    shown = {entry["batch"]: shop.list(entry["batch"]) for entry in entries}
    photos = {
        batch: [photo for product in products for photo in product["photos"]]
        for batch, products in shown.items()
    }
    for batch, found in photos.items():
        names = [photo["name"] for photo in found]
        wanted = {
            name
            for entry in entries
            if entry["kind"] == "photos" and entry["batch"] == batch
            for name in entry["names"]
        }
        if len(names) != len(set(names)) or not wanted <= set(names):
            return f"{batch} has {names}, not {wanted}"
        if any(photo["error"] is not None or photo["waiting"] for photo in found):
            return f"a photo of {batch} has no answer"
    return find_lost_decision(shown, entries)


def find_lost_decision(shown, entries):
    """Return which of the last decisions on each photo's product is lost."""
    said = {(entry["batch"], entry["photo"]): entry for entry in entries if entry["kind"] == "said"}
    for (batch, name), entry in said.items():
        owner = next(
            product for product in shown[batch] if any(photo["name"] == name for photo in product["photos"])
        )
        found = owner["label"]["baseColour"]["value"]
        if found != entry["colour"]:
            return f"{name} of {batch} is {found}, not {entry['colour']}"
    return None


def run(folder, url, seed, crash_at):
    """Work in a separate process. Return whether it finished."""
    process = os.fork()
    if not process:
        dice = random.Random(seed)
        try:
            shop = open_shop(folder, url)
            crash = Crash(crash_at)
            crash.watch_database(shop.store.engine)
            for name in ("replace", "unlink", "mkdir", "write_bytes"):
                crash.watch(Path, name)
            crash.watch(os, "fsync")
            work(shop, Diary(folder / "diary"), dice)
        except BaseException as error:  # noqa: BLE001 - a child must not go on with what its parent does
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if status not in {0, KILLED}:
        sys.exit(f"a run left with {status}")
    return not status


def main(seed, rounds):
    dice = random.Random(seed)
    crashes = 0
    folder = Path(tempfile.mkdtemp())
    try:
        for _ in range(rounds):
            crashes += not run(folder, None, dice.random(), dice.randint(1, 160))
            shop = open_shop(folder, None)
            shop.store.folder.clear_incoming()
            problem = find_fault(shop, Diary(folder / "diary").read())
            shop.store.engine.dispose()
            if problem:
                sys.exit(problem)
    finally:
        shutil.rmtree(folder)
    sys.stdout.write(f"{crashes}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
