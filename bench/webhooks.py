"""Whether a shop's system hears of everything although the service is killed repeatedly.

    python bench/webhooks.py [--kills 10]

People set genders while the service is killed (SIGKILL) at random moments, and started again. The receiver holds every
message for a moment, so that kills hit messages in transit, and refuses one in four. In the end it must have received
the last version of every product, each message signed, and repeats under the same id. Exits with 1 otherwise. It uses
the tests' tiny model.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx

from hangtag.bundle.file import write_bundle
from hangtag.client import verify_webhook
from hangtag.domain.errors import HangtagError

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from tiny_bundle import build_tiny_card, build_tiny_graph, draw_png  # type: ignore[import-not-found]

API: Final = "/api/v1"
GENDERS: Final = ("Men", "Women")
PRODUCTS: Final = 12
PATIENCE_S: Final = 120
"""A message in transit when the service was killed is leased for 45 seconds."""


class Shop:
    """A shop's system, which stores what it hears."""

    def __init__(self, dice: random.Random) -> None:
        self.secret = ""
        self.heard: dict[str, int] = {}
        self.bodies: dict[str, bytes] = {}
        self.refused: set[str] = set()
        self.taken: set[str] = set()
        self.accepted = self.repeated = 0
        self.faults: list[str] = []
        shop, turn = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with turn:
                    is_taken = shop.take(dict(self.headers), body, is_refused=dice.random() < 0.25)  # noqa: PLR2004
                time.sleep(0.2)
                with suppress(OSError):  # the service may have been killed
                    self.send_response(204 if is_taken else 503)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, headers: dict[str, str], body: bytes, *, is_refused: bool) -> bool:
        """Check a message, and store it unless it is refused."""
        try:
            id_ = verify_webhook(self.secret, headers, body)
        except HangtagError as error:
            self.faults.append(str(error))
            return False
        if self.bodies.setdefault(id_, body) != body:
            self.faults.append(f"{id_} came with another body")
        if is_refused:
            self.refused.add(id_)
            return False
        self.refused.discard(id_)
        self.repeated += id_ in self.taken
        self.taken.add(id_)
        self.accepted += 1
        for product in json.loads(body)["data"].get("products", []):
            self.heard[product["id"]] = max(product["version"], self.heard.get(product["id"], 0))
        return True


@contextmanager
def serve(root: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """Run the service, which may be killed meanwhile."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HANGTAG_")}
    settings = {"HANGTAG_MODELS": str(root), "HANGTAG_MODEL": "tiny", "HANGTAG_WEBHOOK_HOSTS": "127.0.0.1"}
    command = [sys.executable, "-m", "hangtag.cli.main", "serve", "--port", "0", "--threads", "1"]
    with (
        (root / "log").open("a") as log,
        subprocess.Popen(
            [*command, "--data-folder", str(root / "data")],
            env=kept | settings,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        address = process.stdout.readline().split()[-1]
        try:
            yield process, httpx.Client(base_url=f"{address}{API}", timeout=60)
        finally:
            process.kill()


def make_batch(service: httpx.Client, shop: Shop) -> str:
    """Register the shop's system, and label a few photos."""
    url = f"http://127.0.0.1:{shop.server.server_port}/hook"
    wanted = {"url": url, "events": ["products.changed"], "description": "shop"}
    shop.secret = service.post("/webhooks", json=wanted).raise_for_status().json()["secret"]
    batch = str(service.post("/batches", json={"name": "Autumn"}).raise_for_status().json()["id"])
    photos = [("files", (f"{number}.png", draw_png(number), "image/png")) for number in range(PRODUCTS)]
    service.post(f"/batches/{batch}/files", files=photos).raise_for_status()
    while service.get(f"/batches/{batch}").json()["state"] != "ready":
        time.sleep(0.2)
    return batch


def work(service: httpx.Client, batch: str, until: float, dice: random.Random) -> int:
    """Set genders for a while. Return how many decisions were acknowledged."""
    path = f"/batches/{batch}"
    ids = [product["id"] for product in service.get(f"{path}/products").json()["items"]]
    done = 0
    while time.monotonic() < until:
        said = {"products": [dice.choice(ids)], "set": {"gender": dice.choice(GENDERS)}}
        done += service.post(f"{path}/decisions", json=said).raise_for_status().json()["changed"]
        time.sleep(0.05)
    return done


def main() -> None:
    """Kill, and print what was heard."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=10)
    kills = parser.parse_args().kills
    dice = random.Random(1)  # noqa: S311 - no secret
    shop, changes = Shop(dice), 0
    with tempfile.TemporaryDirectory() as name:
        root, graph = Path(name), build_tiny_graph()
        write_bundle(graph, build_tiny_card(graph, name="tiny"), root / "tiny.onnx")
        with serve(root) as (_, service):
            batch = make_batch(service, shop)
        for _ in range(kills):
            with serve(root) as (_, service):
                changes += work(service, batch, time.monotonic() + dice.uniform(1, 4), dice)
        with serve(root) as (_, service):
            listed: list[dict[str, Any]] = service.get(f"/batches/{batch}/products").json()["items"]
            wanted = {product["id"]: product["version"] for product in listed}
            ends = time.monotonic() + PATIENCE_S
            while (shop.heard != wanted or shop.refused) and time.monotonic() < ends:
                time.sleep(0.5)
    lost = [id_ for id_, version in wanted.items() if shop.heard.get(id_, 0) != version]
    print(f"{kills + 1} kills, {changes} acknowledged changes of {len(wanted)} products")
    print(f"{len(shop.bodies)} messages, {shop.accepted} accepted, {shop.repeated} of them a second time")
    print(
        f"lost: {len(lost)} products, {len(shop.refused)} refused messages; faults: {shop.faults or 'none'}"
    )
    sys.exit(bool(lost or shop.refused or shop.faults))


if __name__ == "__main__":
    main()
