"""The project's own sample photos: eight product photos that it draws itself.

They show what hangtag does on a machine without a catalogue, and a model bundle carries its answers on such
photos. The geometry is fixed: every call gives the same pixels.
"""

from pathlib import Path
from typing import Final

from PIL import Image

from hangtag.imaging.canvas import (
    Canvas,
    Colour,
    curve,
    ellipse,
    mirror,
    outline,
    polygon,
    stroke,
    within,
    without,
)

INK: Final[Colour] = (24, 24, 28)
STEEL: Final[Colour] = (176, 180, 186)


def draw_sample_photos() -> dict[str, Image.Image]:
    """Return the sample photos by name: RGB images of 240x320 pixels on white."""
    return {name: draw().image for name, draw in _PHOTOS.items()}


def write_sample_photos(folder: Path) -> list[Path]:
    """Write the sample photos as PNG files into a folder, which is made if needed, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, image in draw_sample_photos().items():
        path = folder / f"{name}.png"
        image.save(path, optimize=True)
        paths.append(path)
    return paths


def _draw_tshirt() -> Canvas:
    canvas, red = Canvas(), (190, 36, 48)
    body = outline("144,58! 170,68 186,80 218,138! 186,154! 173,128! 172,200 176,268! 120,272")
    shirt = polygon(curve(mirror(body)))
    neck = ellipse((120, 56), (25, 21))
    canvas.cast_shadow(shirt)
    back = within(ellipse((120, 66), (32, 14)), neck)
    canvas.fill(back, (128, 22, 32), roundness=3)
    canvas.fill(without(shirt, neck), red)
    collar = without(within(ellipse((120, 57), (30, 26)), shirt), neck)
    canvas.shade(collar, shirt, strength=0.25, blur=0.6)
    for side in (1, -1):
        fold = stroke([(120 + side * 52, 132), (120 + side * 40, 160), (120 + side * 44, 240)], 7)
        canvas.shade(fold, shirt, strength=0.22, blur=5)
        canvas.shade(stroke([(120 + side * 49, 74), (120 + side * 53, 128)], 2), shirt, strength=0.35, blur=1)
        cuff = stroke([(120 + side * 95, 133), (120 + side * 64, 149)], 1.5)
        canvas.shade(cuff, shirt, strength=0.4, blur=0.6)
    canvas.shade(
        stroke(curve([(66, 262), (120, 266), (174, 262)], closed=False), 1.5), shirt, strength=0.4, blur=0.6
    )
    canvas.shade(stroke([(100, 150), (112, 250)], 16), shirt, strength=-0.14, blur=9)
    return canvas


def _draw_trousers() -> Canvas:
    canvas, khaki = Canvas(), (168, 142, 100)
    half = outline("120,30 162,30! 172,70 176,120 172,220 166,296! 134,298! 130,200 121,118! 120,114")
    legs = polygon(curve(mirror(half)))
    canvas.cast_shadow(legs)
    canvas.fill(legs, khaki, roundness=11, depth=0.45)
    canvas.shade(polygon(outline("78,30 162,30 163,42 77,42")), legs, strength=0.14, blur=0.5)
    canvas.shade(stroke([(77, 43), (163, 43)], 1.2), legs, strength=0.5, blur=0.5)
    canvas.shade(
        stroke(curve([(120, 44), (121, 84), (120, 114)], closed=False), 2), legs, strength=0.5, blur=0.8
    )
    for side in (1, -1):
        pocket = curve([(120 + side * 27, 44), (120 + side * 32, 62), (120 + side * 48, 72)], closed=False)
        canvas.shade(stroke(pocket, 1.6), legs, strength=0.5, blur=0.7)
        crease = curve([(120 + side * 28, 90), (120 + side * 31, 180), (120 + side * 31, 292)], closed=False)
        canvas.shade(stroke(crease, 3), legs, strength=-0.25, blur=2)
        knee = stroke([(120 + side * 12, 150), (120 + side * 34, 168)], 5)
        canvas.shade(knee, legs, strength=0.2, blur=4)
        canvas.shade(
            stroke([(120 + side * 15, 290), (120 + side * 45, 288)], 1.2), legs, strength=0.4, blur=0.6
        )
        loop = polygon(
            [(118 + side * 26, 28), (122 + side * 26, 28), (122 + side * 26, 45), (118 + side * 26, 45)]
        )
        canvas.fill(loop, (146, 122, 84), roundness=2)
    canvas.fill(ellipse((120, 36), (3, 3)), (96, 78, 52), roundness=1.5)
    return canvas


def _draw_dress() -> Canvas:
    canvas, green = Canvas(), (28, 120, 106)
    half = outline(
        "120,62 138,54! 144,22! 150,22! 152,60 158,84 154,104 147,132! 172,200 200,282! 160,292 120,295"
    )
    dress = polygon(curve(mirror(half)))
    canvas.cast_shadow(dress)
    canvas.fill(dress, green)
    belt = within(polygon(outline("60,128 180,128 180,140 60,140")), dress)
    for x_top, x_end in ((104, 62), (113, 94), (121, 122), (130, 150), (138, 178)):
        pleat = polygon(curve([(x_top, 140), (x_end - 7, 292), (x_end + 7, 292)]))
        canvas.shade(pleat, dress, strength=0.32, blur=4)
        light = stroke([(x_top + 4, 150), (x_end + 13, 290)], 4)
        canvas.shade(light, dress, strength=-0.16, blur=3)
    canvas.fill(belt, (18, 74, 68), roundness=5)
    canvas.fill(polygon(outline("115,127 125,127 125,141 115,141")), (214, 186, 110), roundness=3)
    for side in (1, -1):
        dart = curve([(120 + side * 32, 92), (120 + side * 18, 104), (120 + side * 16, 126)], closed=False)
        canvas.shade(stroke(dart, 2.5), dress, strength=0.35, blur=1.6)
    return canvas


def _draw_shoe() -> Canvas:
    canvas = Canvas()
    upper_line = outline(
        "30,128! 52,124 66,136 88,140 104,126! 132,148 164,168 204,178 220,196 220,208! 26,208! 26,170"
    )
    upper = polygon(curve(upper_line))
    sole_line = outline("24,205 60,205 180,205 214,206 225,212 222,223 208,228")
    sole = polygon(curve([*sole_line, (170, 229), (70, 229), (36, 228), (22, 224), (18, 213)]))
    canvas.cast_shadow(sole, drop=8, depth=0.6)
    canvas.fill(upper, (40, 78, 150), roundness=12)
    toe = within(ellipse((214, 204), (36, 32)), upper)
    canvas.fill(toe, (232, 232, 230), roundness=8)
    heel = within(polygon(curve(outline("20,150 46,150 56,178 50,212 16,212"))), upper)
    canvas.fill(heel, (26, 52, 108), roundness=7)
    stripe = polygon(curve(outline("74,204! 112,150! 124,158! 96,204!")))
    canvas.fill(within(stripe, upper), (240, 240, 240), roundness=4)
    opening = curve(outline("36,132 52,129 66,140 88,144 101,131"), closed=False)
    canvas.shade(stroke(opening, 5), upper, strength=0.6, blur=1.5)
    for step in range(5):
        x, y = 106 + step * 13.5, 141 + step * 8.4
        canvas.fill(stroke([(x + 6, y - 4), (x - 5, y + 13)], 4.5), (246, 246, 244), roundness=1.5)
    canvas.fill(sole, (244, 243, 238), roundness=6, depth=0.3)
    canvas.shade(stroke([(24, 214), (226, 214)], 2), sole, strength=0.55, blur=0.5)
    return canvas


def _draw_handbag() -> Canvas:
    canvas, brown = Canvas(), (146, 82, 44)
    handle_line = curve(outline("78,150 84,84 120,56 156,84 162,150"), closed=False)
    handle = stroke(handle_line, 9)
    half = outline("120,136 160,136 178,138 188,147 197,200 205,252 201,265 188,270 156,271 120,272")
    bag = polygon(curve(mirror(half)))
    canvas.cast_shadow(bag, drop=8, depth=0.5)
    canvas.fill(handle, (104, 56, 28), roundness=3)
    canvas.fill(bag, brown, roundness=16)
    half_flap = outline("120,136 160,136 178,138 187,146 190,168 168,200 120,212")
    flap = within(polygon(curve(mirror(half_flap))), bag)
    canvas.shade(flap, bag, strength=0.55, blur=4)
    canvas.fill(flap, (160, 92, 50), roundness=9)
    seam = curve(outline("58,160 74,193 120,204 166,193 182,160"), closed=False)
    canvas.shade(stroke(seam, 1.2), flap, strength=0.5, blur=0.4)
    canvas.fill(polygon(outline("111,198 129,198 129,222 111,222")), (222, 190, 104), roundness=4)
    canvas.fill(ellipse((120, 211), (3.4, 3.4)), (110, 84, 34), roundness=1)
    for x in (78, 162):
        canvas.fill(
            without(ellipse((x, 150), (9, 9)), ellipse((x, 150), (5, 5))), (222, 190, 104), roundness=2
        )
    return canvas


def _draw_watch() -> Canvas:
    canvas = Canvas()
    half = outline("120,14 141,14! 143,60 150,108! 120,108")
    upper = polygon(curve(mirror(half)))
    lower = upper.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    case = ellipse((120, 160), (61, 61))
    canvas.cast_shadow(case, depth=0.5)
    for strap in (upper, lower):
        canvas.cast_shadow(strap, depth=0.4)
        canvas.fill(strap, (58, 40, 30), roundness=8)
    for y in (34, 50, 66):
        canvas.fill(ellipse((120, 320 - y), (2.6, 3.4)), (18, 12, 10), roundness=1)
    for side in (1, -1):
        seam = [(120 + side * 17, 18), (120 + side * 24, 96)]
        canvas.shade(stroke(seam, 1.2), upper, strength=-0.4, blur=0.4)
        canvas.shade(stroke([(x, 320 - y) for x, y in seam], 1.2), lower, strength=-0.4, blur=0.4)
    canvas.fill(polygon(outline("178,151 190,151 190,169 178,169")), STEEL, roundness=3)
    canvas.fill(case, STEEL, roundness=7, depth=0.7)
    canvas.fill(ellipse((120, 160), (50, 50)), (250, 250, 248), roundness=6)
    for tick in range(12):
        canvas.fill(_watch_tick(tick), INK, roundness=1)
    for tip, width in (((99, 143), 4.2), ((150, 132), 3.0)):
        canvas.fill(stroke([(120, 160), tip], width), INK, roundness=1)
    canvas.fill(stroke([(120, 172), (120, 118)], 1.2), (190, 36, 40), roundness=1)
    canvas.fill(ellipse((120, 160), (4, 4)), (190, 36, 40), roundness=1)
    return canvas


def _watch_tick(tick: int) -> Image.Image:
    """Return the mask of one of the twelve marks. Directions are written out: exact on every machine."""
    thirds = ((0.0, -1.0), (0.5, -0.8660254), (0.8660254, -0.5))
    x, y = thirds[tick % 3]
    for _ in range(tick // 3):
        x, y = -y, x
    inner = 38 if tick % 3 == 0 else 42
    width = 3.2 if tick % 3 == 0 else 1.8
    return stroke([(120 + x * inner, 160 + y * inner), (120 + x * 46, 160 + y * 46)], width)


def _draw_cap() -> Canvas:
    canvas, navy = Canvas(), (36, 44, 84)
    crown_line = outline("36,196! 38,150 62,112 104,96 146,108 168,146 174,192! 106,206")
    crown = polygon(curve(crown_line))
    peak_line = outline("92,200! 134,184 176,184 214,198 234,216 226,224")
    peak = polygon(curve([*peak_line, (190, 216), (146, 213), (104, 212)]))
    canvas.cast_shadow(peak, drop=7, depth=0.5)
    canvas.cast_shadow(crown, drop=6, depth=0.3)
    canvas.fill(crown, navy, roundness=16, depth=0.5)
    for seam in (
        outline("104,97 82,130 72,168 72,202"),
        outline("104,97 128,126 140,156 142,196"),
    ):
        canvas.shade(stroke(curve(seam, closed=False), 1.6), crown, strength=0.6, blur=0.7)
        beside = [(x + 5, y) for x, y in seam]
        canvas.shade(stroke(curve(beside, closed=False), 3), crown, strength=-0.14, blur=2)
    canvas.fill(ellipse((104, 96), (7, 4)), (196, 60, 52), roundness=3)
    for hole in ((90, 134), (126, 136)):
        canvas.fill(ellipse(hole, (2.6, 2.2)), (14, 16, 34), roundness=1)
    canvas.fill(peak, (196, 60, 52), roundness=8, depth=0.45)
    for inset in (0, 7):
        stitch = curve(
            [(110, 206 - inset), (150, 200 - inset), (188, 204 - inset), (222, 218 - inset)], closed=False
        )
        canvas.shade(stroke(stitch, 1), peak, strength=0.35, blur=0.4)
    return canvas


def _draw_sunglasses() -> Canvas:
    canvas = Canvas()
    half = outline("128,142 146,132 196,130 216,138 216,160 206,188 178,200 148,192 133,170")
    right = polygon(curve(half))
    left = right.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    small = [(172 + (x - 172) * 0.83, 163 + (y - 163) * 0.83) for x, y in half]
    right_lens = polygon(curve(small))
    bridge = stroke(curve([(104, 152), (120, 143), (136, 152)], closed=False), 8)
    for side in (1, -1):
        ends = ((90, 140), (103, 141), (111, 152), (110, 186))
        temple = curve([(120 + side * x, y) for x, y in ends], closed=False)
        canvas.fill(stroke(temple, 6), (52, 30, 20), roundness=2)
    canvas.cast_shadow(right, drop=9, depth=0.3)
    canvas.cast_shadow(left, drop=9, depth=0.3)
    for rim in (bridge, right, left):
        canvas.fill(rim, (72, 42, 26), roundness=3, depth=0.5)
    for lens in (right_lens, right_lens.transpose(Image.Transpose.FLIP_LEFT_RIGHT)):
        canvas.fill(lens, (44, 42, 46), roundness=5, depth=0.3)
    for shift in (0, -104):
        glint = stroke([(160 + shift, 180), (190 + shift, 142)], 9)
        lens = right_lens if shift == 0 else right_lens.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        canvas.shade(glint, lens, strength=-0.35, blur=3)
    return canvas


_PHOTOS: Final = {
    "tshirt": _draw_tshirt,
    "trousers": _draw_trousers,
    "dress": _draw_dress,
    "shoe": _draw_shoe,
    "handbag": _draw_handbag,
    "watch": _draw_watch,
    "cap": _draw_cap,
    "sunglasses": _draw_sunglasses,
}
