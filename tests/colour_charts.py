"""Colour charts in files with every kind of colour declaration, and how Chromium shows each.

    python tests/colour_charts.py [--write]

Prints for each file the patch whose colour changes most. Over all 216 patches, it prints the largest and the mean
difference between Chromium's colours and hangtag's, in levels of 0 to 255. With `--write`, Chromium's colours are saved
to `tests/contracts/chromium_colours.json`.
"""

import base64
import io
import json
import os
import queue
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

from hangtag.imaging.decode import decode_photo
from hostile_files import encode, png_chunk
from icc_profiles import ADOBE, GREY, P3, PROPHOTO, build_cmyk_profile

KEPT = Path(__file__).parent / "contracts" / "chromium_colours.json"
CHROMIUM = os.environ.get("HANGTAG_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
STEPS = (0, 51, 102, 153, 204, 255)
ROWS, COLUMNS, PATCH = 12, 18, 16
WAIT_S = 120

ADOBE_PRIMARIES = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
SRGB_PRIMARIES = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
PAL_D50 = (0.3457, 0.3585, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06)


def chart(mode="RGB"):
    """Return a picture of 216 patches with colours from the whole range."""
    grid = np.array(list(product(STEPS, repeat=3)), np.uint8).reshape(ROWS, COLUMNS, 3)
    image = Image.fromarray(grid.repeat(PATCH, 0).repeat(PATCH, 1))
    if mode == "CMYK":
        black = np.arange(ROWS, dtype=np.uint8)[:, None, None].repeat(COLUMNS, 1) * 20
        inks = np.concatenate([grid, black], axis=-1)
        return Image.frombytes("CMYK", image.size, inks.repeat(PATCH, 0).repeat(PATCH, 1).tobytes())
    if mode == "L":
        ramp = np.linspace(0, 255, ROWS * COLUMNS).round().astype(np.uint8).reshape(ROWS, COLUMNS)
        return Image.fromarray(ramp.repeat(PATCH, 0).repeat(PATCH, 1))
    return image.quantize(216, dither=Image.Dither.NONE) if mode == "P" else image.convert(mode)


def read_chart(image):
    """Return the colours of the patches, (216, 3)."""
    half = PATCH // 2
    return np.asarray(image.convert("RGB"), int)[half::PATCH, half::PATCH].reshape(-1, 3)


def gamma(value):
    return png_chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def primaries(values):
    return png_chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in values)))


def code_points(*values):
    return png_chunk(b"cICP", bytes(values))


SRGB = png_chunk(b"sRGB", b"\0")


def profile_chunk(profile):
    return png_chunk(b"iCCP", b"icc\0\0" + zlib.compress(profile))


def with_chunks(*chunks, mode="RGB", image=None):
    """Return a PNG of the chart with additional chunks after its header."""
    data = encode(chart(mode) if image is None else image)
    place = 33  # after the signature and the header
    return data[:place] + b"".join(chunks) + data[place:]


def sixteen_bits():
    """Return an image of a PNG of 16 bits a channel; Pillow writes only grey ones."""
    return Image.fromarray(np.asarray(chart("L"), np.uint16) * 257)


def transparent():
    image = chart("RGBA")
    image.putalpha(255)
    image.putpixel((0, 0), (0, 0, 0, 0))
    return image


def nclx(data, primary, transfer):
    """Return an AVIF whose colour box declares something else."""
    place = data.index(b"nclx") + 4
    return data[:place] + struct.pack(">HH", primary, transfer) + data[place + 4 :]


def build_charts():
    """Return the files by name."""
    lossless = {"quality": 100, "subsampling": 0}
    avif = {"quality": 100, "subsampling": "4:4:4", "speed": 10}
    charts = {
        "png": with_chunks(),
        "png gAMA 1/2.2": with_chunks(gamma(0.45455)),
        "png gAMA 1/1.8": with_chunks(gamma(0.55556)),
        "png gAMA 1.0": with_chunks(gamma(1.0)),
        "png gAMA 1/2.6": with_chunks(gamma(1 / 2.6)),
        "png gAMA 0": with_chunks(gamma(0)),
        "png cHRM": with_chunks(primaries(ADOBE_PRIMARIES)),
        "png gAMA cHRM Adobe": with_chunks(gamma(0.45470), primaries(ADOBE_PRIMARIES)),
        "png gAMA cHRM sRGB": with_chunks(gamma(0.45455), primaries(SRGB_PRIMARIES)),
        "png gAMA cHRM D50": with_chunks(gamma(0.45455), primaries(PAL_D50)),
        "png sRGB gAMA cHRM": with_chunks(SRGB, gamma(1.0), primaries(ADOBE_PRIMARIES)),
        "png sRGB": with_chunks(SRGB),
        "png iCCP gAMA": with_chunks(profile_chunk(PROPHOTO), gamma(1.0)),
        "png iCCP sRGB": with_chunks(profile_chunk(PROPHOTO), SRGB),
        "png broken iCCP gAMA": with_chunks(profile_chunk(b"no profile" * 30), gamma(1.0)),
        "png cICP iCCP": with_chunks(code_points(12, 13, 0, 1), profile_chunk(PROPHOTO)),
        "png cICP sRGB chunk": with_chunks(code_points(12, 13, 0, 1), SRGB),
        "png cICP sRGB": with_chunks(code_points(1, 13, 0, 1), gamma(1.0)),
        "png cICP P3": with_chunks(code_points(12, 13, 0, 1)),
        "png cICP DCI": with_chunks(code_points(11, 13, 0, 1)),
        "png cICP 2020": with_chunks(code_points(9, 13, 0, 1)),
        "png cICP 2020 of 2020": with_chunks(code_points(9, 14, 0, 1)),
        "png cICP 709": with_chunks(code_points(1, 1, 0, 1)),
        "png cICP 601": with_chunks(code_points(6, 6, 0, 1)),
        "png cICP gamma 2.2": with_chunks(code_points(1, 4, 0, 1)),
        "png cICP gamma 2.8": with_chunks(code_points(5, 5, 0, 1)),
        "png cICP linear": with_chunks(code_points(1, 8, 0, 1)),
        "png cICP PQ": with_chunks(code_points(9, 16, 0, 1)),
        "png cICP HLG": with_chunks(code_points(9, 18, 0, 1)),
        "png cICP narrow": with_chunks(code_points(12, 13, 0, 0)),
        "png cICP matrix": with_chunks(code_points(12, 13, 1, 1)),
        "png cICP unspecified": with_chunks(code_points(2, 2, 0, 1), gamma(1.0)),
        "png grey gAMA": with_chunks(gamma(1.0), mode="L"),
        "png grey gAMA cHRM": with_chunks(gamma(1.0), primaries(ADOBE_PRIMARIES), mode="L"),
        "png grey cICP": with_chunks(code_points(9, 8, 0, 1), mode="L"),
        "png grey 16 gAMA": with_chunks(gamma(1.0), image=sixteen_bits()),
        "png palette gAMA": with_chunks(gamma(1.0), mode="P"),
        "png alpha gAMA": with_chunks(gamma(1.0), image=transparent()),
        "png Adobe": encode(chart(), icc_profile=ADOBE),
        "png P3": encode(chart(), icc_profile=P3),
        "png ProPhoto": encode(chart(), icc_profile=PROPHOTO),
        "png grey profile": encode(chart("L"), icc_profile=GREY),
        "png grey, RGB profile": encode(chart("L"), icc_profile=PROPHOTO),
        "png RGB, grey profile": encode(chart(), icc_profile=GREY),
        "jpeg": encode(chart(), "JPEG", **lossless),
        "jpeg Adobe": encode(chart(), "JPEG", icc_profile=ADOBE, **lossless),
        "jpeg P3": encode(chart(), "JPEG", icc_profile=P3, **lossless),
        "jpeg ProPhoto": encode(chart(), "JPEG", icc_profile=PROPHOTO, **lossless),
        "jpeg grey profile": encode(chart("L"), "JPEG", icc_profile=GREY, quality=100),
        "jpeg grey, RGB profile": encode(chart("L"), "JPEG", icc_profile=PROPHOTO, quality=100),
        "jpeg CMYK": encode(chart("CMYK"), "JPEG", **lossless),
        "jpeg CMYK profile": encode(chart("CMYK"), "JPEG", icc_profile=build_cmyk_profile(), **lossless),
        "webp P3": encode(chart(), "WEBP", lossless=True, icc_profile=P3),
        "avif": encode(chart(), "AVIF", **avif),
        "avif profile": encode(chart(), "AVIF", icc_profile=P3, **avif),
    }
    plain = charts["avif"]
    charts["avif P3"] = nclx(plain, 12, 13)
    charts["avif 2020"] = nclx(plain, 9, 1)
    charts["avif 601"] = nclx(plain, 6, 6)
    return charts


PAGE = """<!doctype html><script>
const charts = %s, rows = %d, columns = %d, patch = %d, found = {};
(async () => {
  for (const [name, url] of Object.entries(charts)) {
    const image = new Image(); image.src = url;
    try { await image.decode(); } catch { found[name] = null; continue; }
    const canvas = document.createElement('canvas');
    canvas.width = image.width; canvas.height = image.height;
    const drawn = canvas.getContext('2d', {colorSpace: 'srgb', willReadFrequently: true});
    drawn.fillStyle = 'white'; drawn.fillRect(0, 0, image.width, image.height);
    drawn.drawImage(image, 0, 0);
    const pixels = drawn.getImageData(0, 0, image.width, image.height).data;
    found[name] = [];
    for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) {
      const place = 4 * ((row * patch + patch / 2) * image.width + column * patch + patch / 2);
      found[name].push([...pixels.slice(place, place + 3)]);
    }
  }
  await fetch('/', {method: 'POST', body: JSON.stringify(found)});
})();
</script>"""


def show_in_chromium(charts):
    """Return the colours of the patches of each file as Chromium shows them, (216, 3); None for files it does not show.

    The page sends them back: a browser that only prints its page does not wait for images.
    """
    urls = {name: f"data:;base64,{base64.b64encode(data).decode()}" for name, data in charts.items()}
    page = (PAGE % (json.dumps(urls), ROWS, COLUMNS, PATCH)).encode()
    answers = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.respond(page)

        def do_POST(self):
            answers.put(self.rfile.read(int(self.headers["Content-Length"])))
            self.respond(b"")

        def respond(self, body):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, tempfile.TemporaryDirectory() as folder:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--force-color-profile=srgb",
            f"--user-data-dir={folder}",
        ]
        command = [CHROMIUM, *options, f"http://127.0.0.1:{server.server_port}/"]
        browser = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            found = json.loads(answers.get(timeout=WAIT_S))
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
            server.shutdown()
    return {name: None if colours is None else np.array(colours) for name, colours in found.items()}


def show_in_hangtag(data):
    """Return the colours of a file's patches as hangtag decodes them."""
    return read_chart(decode_photo(data))


def read_kept():
    """Return Chromium's stored colours, in the form of `show_in_chromium`."""
    kept = json.loads(KEPT.read_text("utf-8"))
    return {
        name: np.frombuffer(bytes.fromhex(colours), np.uint8).reshape(-1, 3) for name, colours in kept.items()
    }


def main(*, keep):
    charts = build_charts()
    chromium = {name: colours for name, colours in show_in_chromium(charts).items() if colours is not None}
    write = sys.stdout.write
    write(
        "| file | patch | as a number | Chromium | hangtag | largest | mean |\n|---|---|---|---|---|---|---|\n"
    )
    for name, colours in chromium.items():
        ours = show_in_hangtag(charts[name])
        difference = np.abs(ours - colours.astype(int))
        change = np.abs(colours - read_chart(chart("L" if "grey" in name else "RGB"))).sum(axis=1)
        patch = int(change.argmax())
        with Image.open(io.BytesIO(charts[name])) as image:
            number = image.convert("RGBA" if image.mode == "P" else image.mode).getpixel(place_of(patch))
        shown = " | ".join(
            " ".join(map(str, np.atleast_1d(each))) for each in (number, colours[patch], ours[patch])
        )
        write(f"| {name} | {patch} | {shown} | {difference.max()} | {difference.mean():.2f} |\n")
    if keep:
        found = {name: colours.astype(np.uint8).tobytes().hex() for name, colours in chromium.items()}
        KEPT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def place_of(patch):
    """Return the x and y of a patch's middle."""
    row, column = divmod(patch, COLUMNS)
    return column * PATCH + PATCH // 2, row * PATCH + PATCH // 2


if __name__ == "__main__":
    main(keep="--write" in sys.argv)
