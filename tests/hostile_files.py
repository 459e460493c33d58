"""Files that cost far more than their size suggests, made byte by byte, as no encoder writes them."""

import io
import lzma
import struct
import zipfile
import zlib

from PIL import Image

EOB_RUN = 0xE0
LONGEST_RUN = 1 << 14


def encode(image, format_="PNG", **options):
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def jpeg_segment(mark, body):
    return bytes([0xFF, mark]) + struct.pack(">H", len(body) + 2) + body


def progressive_jpeg(size, scans):
    """Return a grey JPEG with one scan of brightness, and `scans` further ones that change nothing."""
    width, height = size
    blocks = -(-width // 8) * -(-height // 8)
    frame = struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0])
    one_code = bytes([1, *[0] * 15])
    head = [
        b"\xff\xd8",
        jpeg_segment(0xDB, b"\0" + b"\1" * 64),
        jpeg_segment(0xC2, frame),
        jpeg_segment(0xC4, b"\0" + one_code + b"\0"),
        jpeg_segment(0xC4, b"\x10" + one_code + bytes([EOB_RUN])),
        jpeg_segment(0xDA, bytes([1, 1, 0, 0, 0, 0])),
        bytes(-(-blocks // 8)),
    ]
    runs = -(-blocks // LONGEST_RUN)  # each: the code 0, then 14 bits 0 for a run of 2**14 blocks
    empty = jpeg_segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + bytes(-(-15 * runs // 8))
    return b"".join([*head, empty * scans, b"\xff\xd9"])


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(size, *, colour=2, depth=8, extra=b"", rows=None):
    """Return a black PNG of a colour type and depth whose pixels take almost no bytes."""
    width, height = size
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = bytes((width * channels * depth + 7) // 8 + 1)
    packer = zlib.compressobj(9)
    at_a_time = max(1, (1 << 20) // len(row))
    packed, left = [], height if rows is None else rows
    while left > 0:
        packed.append(packer.compress(row * min(at_a_time, left)))
        left -= at_a_time
    packed.append(packer.flush())
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    palette = png_chunk(b"PLTE", bytes(6)) if colour == 3 else b""
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            extra,
            palette,
            png_chunk(b"IDAT", b"".join(packed)),
            png_chunk(b"IEND", b""),
        ]
    )


def webp_of_one_colour(size):
    """Return a lossless WebP of a few bytes, of any (width, height) up to 16,384: its pixels take no bits at all."""
    data = bytearray(encode(Image.new("RGB", (16, 16), "red"), "WEBP", lossless=True))
    start = data.index(b"VP8L")
    bits = int.from_bytes(data[start + 9 : start + 13], "little")
    bits = bits >> 28 << 28 | size[1] - 1 << 14 | size[0] - 1
    data[start + 9 : start + 13] = bits.to_bytes(4, "little")
    return bytes(data)


def animated(format_, frames, size=(16, 16)):
    """Return an animation of this many frames, no two of them the same."""
    pictures = [Image.new("RGB", size, (number % 256, number // 256, 0)) for number in range(frames)]
    return encode(pictures[0], format_, save_all=True, append_images=pictures[1:], lossless=True)


def workbook(sheet):
    """Return an .xlsx whose only sheet is this XML between <sheetData> and its end."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    types = (
        f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/></Types>'
    )
    parts = {
        "[Content_Types].xml": types,
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="a" '
        f'Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets>'
        '<sheet name="a" sheetId="1" r:id="a"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="a" '
        f'Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in parts.items():
            packed.writestr(name, text)
    return file.getvalue()


CELL_FAR_AWAY = workbook(
    '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
)
"""A workbook of less than 2 KB whose sheet has 17 billion cells."""


def xz_of_large_dictionary(data):
    """Return an .xz that claims a dictionary of 4 GiB, which a careless reader allocates."""
    packed = bytearray(lzma.compress(data, check=lzma.CHECK_CRC32, preset=0))
    # A block's header: its size, flags, then the filter LZMA2 (0x21), the size of its properties, the dictionary.
    start = packed.index(b"\x21\x01", 12)
    packed[start + 2] = 40
    size = 4 * (packed[12] + 1)
    packed[12 + size - 4 : 12 + size] = zlib.crc32(packed[12 : 12 + size - 4]).to_bytes(4, "little")
    return bytes(packed)
