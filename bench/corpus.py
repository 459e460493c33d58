"""Give the whole hostile corpus to the command line and to the service, and measure the outcomes and costs.

    python bench/corpus.py [--every N]

Besides the photos of `tests/hostile_corpus.py` there are archives and tables. The command line gets all photos of a
kind at once, and every archive and table separately. The service gets every file twice, uploaded to a batch. Prints
tables of outcomes, seconds and peak memory: of the largest process on the command line, and of all processes of the
service together, counting shared memory once.
"""

import argparse
import http.client
import io
import json
import lzma
import os
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyarrow import parquet

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hostile_corpus import KINDS, apart_from_here, photo
from hostile_files import CELL_FAR_AWAY, encode, workbook, xz_of_large_dictionary
from service import find_descendants, open_service

HANGTAG: Final = [sys.executable, "-c", "import sys; from hangtag.cli.main import main; main(sys.argv[1:])"]
ORDINARY_PHOTOS: Final = 40
"""How many photos the service labels before its idle memory is measured, so that the network is loaded for batches."""

POLL_S: Final = 0.05
BOUNDARY: Final = "hangtag-corpus"


def overlapping_zip(entries: int, unpacked: int) -> bytes:
    """Return a zip whose entries all share the same bytes, which unpack to a huge size."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(unpacked)) + packer.flush()
    crc = zlib.crc32(bytes(unpacked))
    local = (
        struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(packed), unpacked, 10, 0) + b"000000.png"
    )
    index = b"".join(
        struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, len(packed), unpacked, 10, 0, 0, 0, 0, 0, 0
        )
        + b"%06d.png" % number
        for number in range(entries)
    )
    start = len(local) + len(packed)
    return (
        local
        + packed
        + index
        + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, entries, entries, len(index), start, 0)
    )


def index_of_nothing(entries: int) -> bytes:
    """Return a zip that is only an index: every entry claims to be empty."""
    name = b"a/%055d.png"
    index = b"".join(
        struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 61, 0, 0, 0, 0, 0, 0)
        + name % number
        for number in range(entries)
    )
    return index + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, entries, entries, len(index), 0, 0)


def zip_of(name: str, data: bytes, times: int = 1) -> bytes:
    """Return a zip that holds some bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for number in range(times):
            opened.writestr(f"{number}{name}", data)
    return file.getvalue()


def tar_of(name: str, data: bytes) -> bytes:
    """Return a tar that holds some bytes."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as opened:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        opened.addfile(info, io.BytesIO(data))
    return file.getvalue()


def gzip_of_gzip(size: int) -> bytes:
    """Return a table, gzipped twice, that unpacks to this many bytes."""
    packer = zlib.compressobj(9, wbits=31)
    packed = packer.compress(b"image\n") + b"".join(
        packer.compress(bytes(1 << 20)) for _ in range(size >> 20)
    )
    return zlib.compress(packed + packer.flush(), 9, wbits=31)


def repeated_parquet(rows: int) -> bytes:
    """Return a table with a column that repeats one long text."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * 100_000]))
    file = io.BytesIO()
    parquet.write_table(pa.table({"image": column}), file, compression="zstd")
    return file.getvalue()


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "overlapping.zip": lambda: overlapping_zip(30_000, 19_000_000),
    "index_only.zip": lambda: index_of_nothing(60_000),
    "zeros.zip": lambda: zip_of(".png", bytes(200_000_000), 3),
    "nested.zip": lambda: zip_of(".zip", zip_of(".png", encode(photo()))),
    "sound.zip": lambda: zip_of(".png", encode(photo())),
    "cut.zip": lambda: zip_of(".png", encode(photo()))[:-40],
    "dictionary.tar.xz": lambda: xz_of_large_dictionary(tar_of("a.png", encode(photo()))),
    "zeros.tar.xz": lambda: lzma.compress(tar_of("a.png", bytes(400_000_000)), preset=0),
}
TABLES: dict[str, Callable[[], bytes]] = {
    "far_away.xlsx": lambda: CELL_FAR_AWAY,
    "rows.xlsx": lambda: workbook("<row><c><v>1</v></c></row>" * 2_000_000),
    "one_cell.xlsx": lambda: workbook(
        '<row r="1"><c r="A1" t="inlineStr"><is><t>' + "a" * 300_000_000 + "</t></is></c></row>"
    ),
    "repeated.parquet": lambda: repeated_parquet(30_000),
    "gzip_of_gzip.csv.gz": lambda: gzip_of_gzip(1 << 30),
    "one_line.csv": lambda: b"image\n" + b"a" * 30_000_000,
    "columns.csv": lambda: b",".join(b"c%d" % number for number in range(200_000)) + b"\n" + b"," * 199_999,
}


@dataclass
class Row:
    """The outcome for the files of a kind."""

    kind: str
    files: int
    outcome: str
    peak_mb: float
    seconds: float


def make(folder: Path, every: int, wanted: list[str]) -> dict[str, list[str]]:
    """Write the wanted kinds of the corpus, or all if none is named. Return the files by kind."""
    made: dict[str, list[str]] = {}
    for kind, iter_files in [*KINDS.items(), ("archives", ARCHIVES.items), ("tables", TABLES.items)]:
        if wanted and kind not in wanted:
            continue
        (folder / kind).mkdir()
        step = 1 if kind in ("archives", "tables") else every
        for number, (name, build) in enumerate(islice(iter_files(), 0, None, step)):
            path = folder / kind / (name if "." in name else f"{number:03}-{name}.jpg")
            path.write_bytes(build())
            made.setdefault(kind, []).append(str(path))
    return made


def predict(given: Path, folder: Path) -> tuple[str, float, float]:
    """Label files. Return the outcome, the peak memory of the largest process in MB, and processor seconds."""
    output = folder / "labels.jsonl"
    output.unlink(missing_ok=True)
    command = [*HANGTAG, "predict", str(given), "--output", str(output)]
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    reasons = [row.get("reason") for row in read_rows(output)]
    counts = Counter("labelled" if reason is None else str(reason) for reason in reasons)
    outcome = ", ".join(f"{name} {count:,}" for name, count in counts.most_common()) or last_line(
        folder / "said"
    )
    return f"{outcome} (exit {process.returncode})", used.ru_maxrss / 1024, used.ru_utime + used.ru_stime


def read_rows(path: Path) -> list[dict[str, object]]:
    """Return the rows of a table of labels; empty if there is none."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def last_line(path: Path) -> str:
    """Return the last line of a text, cut to fit into a table."""
    lines = path.read_text("utf-8", "replace").strip().splitlines() or [""]
    return lines[-1][-110:].replace("|", "/")


class Watch:
    """Watches the memory of a process and its descendants, in MB, until it is stopped."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.peak = self.now()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def now(self) -> float:
        """Return the memory of all processes, counting shared memory once."""
        own = read_command(
            self._pid
        )  # before a child starts its program, it shares all memory with its parent
        others = [process for process in find_descendants(self._pid) if read_command(process) != own]
        return sum(map(read_share, [self._pid, *others]))

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(POLL_S):
            self.peak = max(self.peak, self.now())


def read_command(pid: int) -> bytes:
    """Return the command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def read_share(pid: int) -> float:
    """Return the proportional set size of a process in MB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def send(port: int, path: str, body: bytes, kind: str) -> tuple[int, dict[str, object]]:
    """Send a request. Return the status and the JSON response, if any."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request("POST", path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    return answer.status, json.loads(text) if text.startswith(b"{") else {}


def upload(port: int, batch: object, *paths: Path) -> str:
    """Send files to a batch together. Return the result for the first."""
    disposition = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename='
    parts = [f'{disposition}"{path.name}"\r\n\r\n'.encode() + path.read_bytes() + b"\r\n" for path in paths]
    body = b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])
    status, found = send(
        port, f"/api/v1/batches/{batch}/files", body, f"multipart/form-data; boundary={BOUNDARY}"
    )
    received = found.get("received")
    if not isinstance(received, list) or not received:
        return f"{status} {found.get('code', '')}"
    return "refused" if received[0]["problem"] else "taken"


def attack_service(made: dict[str, list[Path]], folder: Path) -> None:
    """Send every file twice. Print a row for each kind."""
    with open_service(folder / "data", log=str(folder / "log")) as (process, port):
        status, batch = send(port, "/api/v1/batches", b"{}", "application/json")
        if status >= 400:  # noqa: PLR2004 - an error of HTTP
            raise SystemExit(f"the service refuses a batch: {status}")
        ordinary = [folder / f"{number}.png" for number in range(ORDINARY_PHOTOS)] + [folder / "apart.bmp"]
        for number, path in enumerate(ordinary):
            image = photo()
            image.putpixel((0, 0), (number, 0, 0))  # makes each a different photo
            path.write_bytes(encode(image, path.suffix[1:].upper()))
        upload(port, batch["id"], *ordinary)
        wait_until_labelled(port, str(batch["id"]))
        idle = Watch(process.pid)
        idle.stop()
        print_head(f"The service, {idle.peak:.0f} MB when idle, seconds of the clock:")
        for kind, paths in made.items():
            watch, started = Watch(process.pid), time.monotonic()
            outcomes = Counter(upload(port, batch["id"], path) for _ in range(2) for path in paths)
            wait_until_labelled(port, str(batch["id"]))
            watch.stop()
            outcome = ", ".join(f"{name} {count}" for name, count in outcomes.most_common())
            print_row(Row(kind, 2 * len(paths), outcome, watch.peak, time.monotonic() - started))


def wait_until_labelled(port: int, batch: str) -> None:
    """Wait until a batch is labelled, for at most ten minutes."""
    for _ in range(1200):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", f"/api/v1/batches/{batch}")
        found = json.loads(connection.getresponse().read())
        connection.close()
        if found["state"] != "labelling":
            return
        time.sleep(0.5)


def print_head(title: str) -> None:
    """Print the head of a table."""
    sys.stdout.write(f"\n{title}\n\n| kind | files | outcome | peak MB | seconds |\n|---|---|---|---|---|\n")


def print_row(row: Row) -> None:
    """Print a row of a table."""
    sys.stdout.write(
        f"| {row.kind} | {row.files} | {row.outcome} | {row.peak_mb:.0f} | {row.seconds:.1f} |\n"
    )
    sys.stdout.flush()


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="take every so many of the photos")
    parser.add_argument("--only", choices=("predict", "serve"))
    parser.add_argument("kinds", nargs="*", help="take these kinds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "corpus").mkdir()
        # In a separate process: the kernel counts the peak of the parent as that of the child.
        found, _, _ = apart_from_here(lambda: make(folder / "corpus", options.every, options.kinds))
        made = {kind: [Path(path) for path in paths] for kind, paths in found.items()}
        if options.only != "serve":
            print_head("The command line, processor seconds:")
            for kind, paths in made.items():
                for path in paths if kind in ("archives", "tables") else [paths[0].parent]:
                    outcome, peak, seconds = predict(path, folder)
                    name, files = (kind, len(paths)) if path.is_dir() else (path.name, 1)
                    print_row(Row(name, files, outcome, peak, seconds))
        if options.only != "predict":
            attack_service(made, folder)


if __name__ == "__main__":
    main()
