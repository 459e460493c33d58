"""The labelling stage with every kind of input at once: one table out, and no photo lost."""

import csv
import functools
import io
import tarfile
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pyarrow.parquet as pq
import pytest

from hangtag.bundle.file import write_bundle
from hangtag.imaging.addresses import AddressRules
from hangtag.imaging.samples import write_sample_photos
from hangtag.inference.model import load_model
from hangtag.labelling.inputs import InputSettings, open_inputs
from hangtag.labelling.outputs import Output, open_table
from hangtag.labelling.run import Labeller
from tiny_bundle import build_tiny_card, build_tiny_graph


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_message):
        pass


@pytest.fixture
def photos(tmp_path):
    write_sample_photos(tmp_path / "photos")
    return sorted((tmp_path / "photos").iterdir())


@pytest.fixture
def address(tmp_path, photos, monkeypatch):  # noqa: ARG001 - what is served
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path / "photos"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def inputs(tmp_path, photos, address):
    """The same eight photos six times over, in six ways, and something that is amiss in each."""
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for photo in photos:
            archive.write(photo, photo.name)
        archive.writestr("broken.jpg", b"\xff\xd8\xff cut off")
    with tarfile.open(tmp_path / "photos.tar.gz", "w:gz") as archive:
        for photo in photos:
            archive.add(photo, photo.name)
        archive.addfile(tarfile.TarInfo("empty.jpg"), io.BytesIO())
    with (tmp_path / "products.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sku", "image", "path"])
        for number, photo in enumerate(photos):
            writer.writerow([number, f"photos/{photo.name}", "shelf"])
            writer.writerow([number, f"{address}/{photo.name}", "web"])
        writer.writerow([99, "", "nowhere"])
        writer.writerow([100, f"{address}/gone.jpg", "web"])
    (tmp_path / "photos" / "notes.txt").touch()
    return [
        tmp_path / "photos",
        f"{tmp_path}/photos/*[a-z]*",
        tmp_path / "photos.zip",
        tmp_path / "photos.tar.gz",
        tmp_path / "products.csv",
        f"{tmp_path}/nothing*.jpg",
    ]


def test_every_input_becomes_rows_of_one_table(tmp_path, photos, inputs):
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), tmp_path / "tiny.onnx")
    model = load_model(tmp_path / "tiny.onnx", precision="fp32")
    with open_inputs(inputs, InputSettings(backoff_s=0.01, rules=AddressRules(allow_private=True))) as walk:
        labeller = Labeller({"tiny": model}, threads=2, given=walk.columns)
        with open_table(Output.parse(str(tmp_path / "out.parquet")), labeller.layout) as writer:
            summary = labeller.label(walk, writer)
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert (summary.photos, summary.failed, summary.other_files) == (8 * 6 + 5, 5, 2)
    failed = {
        row["path"].removeprefix(str(tmp_path)): row["reason"] for row in rows if row["status"] == "failed"
    }
    assert set(failed.values()) == {"truncated", "empty", "not_named", "not_found"}
    assert failed["/photos.zip/broken.jpg"] == "truncated"
    assert failed["/products.csv:18"] == "not_named"
    assert failed["/nothing*.jpg"] == "not_found"
    labels = {}
    for row in rows:
        if row["status"] == "labelled":
            labels.setdefault(row["path"].rpartition("/")[2], []).append((row["articleType"], row["gender"]))
    assert {name: len(found) for name, found in labels.items()} == {photo.name: 6 for photo in photos}
    assert all(len(set(found)) == 1 for found in labels.values())
    named = [row for row in rows if row["sku"] is not None]
    assert len(named) == 18
    assert {row["path (given)"] for row in named} == {"shelf", "web", "nowhere"}
    assert list(rows[0])[:4] == ["sku", "image", "path (given)", "path"]
