"""A service on a full disk: what it refuses, what it keeps, and how space is freed.

    python tests/full_disk.py FOLDER MODELS

FOLDER is a small file system of its own. Exits with an error if anything is wrong.
"""

import os
import shutil
import sys
import time
from pathlib import Path

from fastapi.testclient import TestClient

from fakes import encode, paint
from hangtag.server import health
from hangtag.server.app import create_app
from hangtag.server.settings import Settings

API = "/api/v1"


def photo(mark):
    image = paint("Red")
    image.putpixel((0, 0), (mark % 256, mark // 256, 0))
    return encode(image)


def send(client, batch, marks):
    files = [("files", (f"{mark}.png", photo(mark))) for mark in marks]
    return client.post(f"{API}/batches/{batch}/files", files=files)


def wait(client, batch):
    while client.get(f"{API}/batches/{batch}").json()["state"] == "labelling":
        time.sleep(0.02)


def fill(folder):
    """Fill the disk completely."""
    with (folder / "filler").open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(os.urandom(size))
            except OSError:
                continue


def main(folder, models):
    health.FRESH_S = 0.0
    health.LITTLE_DISK_BYTES = 1 << 20
    settings = Settings(
        data_folder=folder / "data", models=models, model="tiny", precision="fp32", threads=1, catalogue=None
    )
    with TestClient(create_app(settings)) as client:
        batch, other = (client.post(f"{API}/batches", json={"name": name}).json()["id"] for name in "ab")
        for start in range(0, 200, 100):
            assert send(client, batch, range(start, start + 100)).status_code == 200
        assert send(client, other, range(500, 520)).status_code == 200
        wait(client, batch)
        wait(client, other)
        assert client.get("/readyz").status_code == 200
        fill(folder)
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["code"]) == (503, "disk_full"), ready.text
        refused = send(client, other, range(600, 700))
        assert (refused.status_code, refused.json()["code"]) == (507, "disk_full"), refused.text
        found = client.get(f"{API}/batches/{batch}").json()
        assert found["counts"]["photos"] == 200, found
        assert client.get(f"{API}/batches/{other}").json()["counts"]["photos"] == 20
        before = shutil.disk_usage(folder).free
        deleted = client.delete(f"{API}/batches/{batch}")
        assert deleted.status_code == 204, deleted.text
        assert client.get(f"{API}/batches/{batch}").status_code == 404
        (folder / "filler").unlink()
        assert shutil.disk_usage(folder).free > before
        assert client.get("/readyz").status_code == 200
        assert send(client, other, range(600, 700)).status_code == 200
        wait(client, other)
        found = client.get(f"{API}/batches/{other}").json()
        assert (found["counts"]["photos"], found["counts"]["labelled"]) == (120, 120), found
        assert (settings.data_folder / "reserve").stat().st_size > 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
