"""Fuzz what reads strangers' bytes, guided by the branches that each input takes (atheris, https://github.com/google/atheris).

    pip install atheris
    python bench/fuzzing.py photos|copies|zips|tables|workbooks|cards [SECONDS] [CORPUS]

Begins with small sound files, keeps every input that reaches something new in the folder CORPUS, and stops at the first
error that is not one of those that a user is told, at an input that takes over 5 seconds, and at 1 GB of memory.
"""

import io
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hangtag", "PIL"]):
    import numpy as np
    from PIL import Image, ImageCms

    from hangtag.archives.zips import iter_entries, read_entry
    from hangtag.bundle.card_json import parse_card
    from hangtag.domain.errors import BundleError, HangtagError, PhotoError
    from hangtag.imaging.boxes import is_avif, is_heic, length_of_boxes
    from hangtag.imaging.budget import DecodeLimits
    from hangtag.imaging.copies import copy_photo
    from hangtag.imaging.cost import is_cheap_to_decode
    from hangtag.imaging.decode import convert_upright, decode_photo, open_photo
    from hangtag.imaging.samples import read_sample_files
    from hangtag.tables.reading import open_table

LIMITS = DecodeLimits(max_pixels=200_000, max_bytes=200_000, max_frames=4)
MOST_BYTES = 20_000
ROWS = 1000


def read_photo(data: bytes) -> None:
    """Decode a photo here, as one that is proven cheap is."""
    if is_heic(data) or is_avif(data):
        length_of_boxes(data)
        return
    try:
        is_cheap_to_decode(data, LIMITS)
        with open_photo(data, LIMITS) as photo:
            convert_upright(photo)
    except PhotoError:
        pass


def copy(data: bytes) -> None:
    """Copy a JPEG, PNG or WebP: where it shows anything, the copy shows the same."""
    try:
        is_cheap = is_cheap_to_decode(data, LIMITS)
        kept = copy_photo(data, LIMITS).data if is_cheap else b""
    except PhotoError:
        return
    pixels = show(data) if is_cheap else None
    if pixels is not None and show(kept) != pixels:
        Path("other-copy").write_bytes(data)
        raise AssertionError("the copy shows something else; the file is kept as other-copy")


def show(data: bytes) -> bytes | None:
    """Return the pixels of a photo, None where there are none."""
    try:
        return np.asarray(decode_photo(data, limits=LIMITS)).tobytes()
    except PhotoError:
        return None


def read_zip(data: bytes) -> None:
    """List a zip and read its entries."""
    path = Path(WORKPLACE.name) / "zip"
    path.write_bytes(data)
    try:
        with path.open("rb") as file:
            for entry, _ in zip(iter_entries(file), range(20), strict=False):
                with suppress(PhotoError):
                    read_entry(path, entry, LIMITS)
    except (zipfile.BadZipFile, PhotoError):
        pass


def read_table(data: bytes) -> None:
    """Read a table of text, whose first byte chooses its kind."""
    name = ("t.csv", "t.tsv", "t.jsonl", "t.csv.gz")[data[0] % 4 if data else 0]
    path = Path(WORKPLACE.name) / name
    path.write_bytes(data[1:])
    try:
        for _ in zip(open_table(path), range(ROWS), strict=False):
            pass
    except HangtagError:
        pass


def read_workbook(data: bytes) -> None:
    """Read a workbook one of whose parts, chosen by the first byte, is the rest."""
    part = ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml")[data[0] % 3 if data else 0]
    sheet = b'<worksheet><row><c t="s" s="1"><v>0</v></c><c s="1"><v>45000.5</v></c></row></worksheet>'
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for name, xml in ({**WORKBOOK, "xl/worksheets/sheet1.xml": sheet} | {part: data[1:]}).items():
            opened.writestr(name, xml)
    try:
        table = open_table(file.getvalue(), "t.xlsx")
        table.links(0)
        for _ in zip(table, range(ROWS), strict=False):
            pass
    except HangtagError:
        pass


def read_card(data: bytes) -> None:
    """Parse a card."""
    with suppress(BundleError):
        parse_card(data.decode("utf-8", "replace"))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "photos": read_photo,
    "copies": copy,
    "zips": read_zip,
    "tables": read_table,
    "workbooks": read_workbook,
    "cards": read_card,
}
WORKBOOK = {
    "xl/workbook.xml": b'<workbook xmlns:r="r"><sheets><sheet name="a" r:id="a"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": b'<R><Relationship Id="a" Target="worksheets/sheet1.xml"/></R>',
}
WORKPLACE = tempfile.TemporaryDirectory()


def write_seeds(target: str, folder: Path) -> None:
    """Write small sound inputs into a folder."""
    small = Image.open(io.BytesIO(read_sample_files()["dress.png"])).convert("RGB").resize((24, 32))
    seeds: list[bytes] = []
    if target in ("photos", "copies"):
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        for format_, options in (
            ("JPEG", {}),
            ("JPEG", {"progressive": True}),
            ("JPEG", {"comment": b"x", "restart_marker_blocks": 1}),
            ("PNG", {}),
            ("PNG", {"icc_profile": srgb}),
            ("WEBP", {}),
            ("WEBP", {"lossless": True, "exif": b"MM\0*\0\0\0\x08\0\0"}),
            ("GIF", {}),
            ("TIFF", {}),
            ("BMP", {}),
        ):
            file = io.BytesIO()
            small.save(file, format_, **options)
            seeds.append(file.getvalue())
    elif target == "zips":
        for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w", packing) as opened:
                opened.writestr("a.png", b"x" * 50)
                opened.writestr("ü/b.jpg", b"y")
            seeds.append(file.getvalue())
    elif target == "tables":
        seeds = [
            b'\0id,name\n1,"a, b"\n',
            b"\1id\tname\n1\tx\n",
            b'\2{"id": 1, "n": [2]}\n',
            b"\0sep=;\nid;n\n1;2\n",
        ]
    elif target == "workbooks":
        seeds = [
            b'\0<worksheet><row r="1"><c r="A1" t="inlineStr"><is><t>a_x000D_</t></is></c></row></worksheet>',
            b'\0<worksheet><row><c t="s"><v>0</v></c></row><row><c t="d"><v>2026-11-30</v></c></row></worksheet>',
            b'\0<worksheet><row><c r="A1"><f>HYPERLINK("x")</f><v>1</v></c></row></worksheet>',
            b"\1<sst><si><t>a</t></si><si><r><t>b</t></r><rPh><t>c</t></rPh></si></sst>",
            b'\2<a><numFmt numFmtId="164" formatCode="[h]:mm"/><cellXfs><xf numFmtId="164"/></cellXfs></a>',
            b'\2<styleSheet><cellXfs><xf numFmtId="14"/></cellXfs></styleSheet>',
        ]
    else:
        contracts = Path(__file__).parents[1] / "tests" / "contracts"
        seeds = [path.read_bytes() for path in sorted(contracts.glob("card_format_*.json"))]
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number}").write_bytes(seed)


def main() -> None:
    """Fuzz a target."""
    target, seconds, *rest = [*sys.argv[1:], "60"][: max(2, len(sys.argv) - 1)]
    folder = Path(rest[0] if rest else tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    write_seeds(target, folder)
    options = [f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", "-timeout=5", "-rss_limit_mb=1024"]
    atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", str(folder)], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
