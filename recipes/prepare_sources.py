"""Prepare what the shipped model learns from besides the catalogue: photos of other shops, and photos without products.

    python recipes/prepare_sources.py DOWNLOADS OUT

DOWNLOADS contains `clothing-dataset-small/` and `other-shops/`, each source with its `images/` and `labels.csv`. OUT
gets a catalogue for each source in `sets/`, with its licence, and the photos without products in `negatives/`: those of
the sources, and pictures of the Debian packages tuxpaint-stamps-default, fonts-noto-color-emoji, ukui-wallpapers,
mate-backgrounds, plasma-workspace-wallpapers and gnome-backgrounds, if they are installed. The same input gives the
same output.
"""

import csv
import random
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from hangtag.training.augmentation import find_background

Row = dict[str, str]
Floats = npt.NDArray[np.float32]

COLUMNS: Final = ("file", "masterCategory", "subCategory", "articleType", "gender", "baseColour")

SOURCES: Final[Mapping[str, tuple[str, str]]] = {
    "people": ("CC0-1.0", "Alexey Grigorev: clothing-dataset-small"),
    "clothing-dataset-full": ("CC0-1.0", "Alexey Grigorev: clothing-dataset-full"),
    "secondhand-fashion": (
        "CC-BY-4.0",
        "Nauman: Clothing Dataset for Second-Hand Fashion, doi 10.5281/zenodo.13788681 (backgrounds changed)",
    ),
    "livostyle": ("MIT", "Livostyle"),
    "magento2-luma": ("OSL-3.0 OR AFL-3.0", "Magento 2 Luma sample data"),
    "polymer-shop": ("BSD-3-Clause", "The Polymer Project: shop"),
    "dotnet-eshop": ("MIT", ".NET eShop reference application"),
    "caltech101": ("CC-BY-4.0", "Li, Andreeto, Ranzato, Perona: Caltech 101"),
}
"""The licence of each source, and whom to credit."""

JACKETS: Final = {"outwear", "Outwear", "Outwear (kids)", "Outerwear"}
"""Most of what sources call outerwear is a jacket. Left unlabelled, jackets were predicted as shirts in other shops."""

CUT_OUT: Final = "secondhand-fashion"
"""The source whose garments are cut out on white, unlike in shops: most are put on another plain background."""
AS_THEY_ARE: Final = 0.35

SMALLEST_SIDE: Final = 24
SMALLEST_WALLPAPER: Final = 300
FLATTEST: Final = 5
"""The standard deviation in grey levels below which an emoji is blank: the font lacks some of them."""
STAMPS: Final = Path("/usr/share/tuxpaint/stamps")
WALLPAPERS: Final = (Path("/usr/share/backgrounds"), Path("/usr/share/wallpapers"))
EMOJI_FONT: Final = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")

WORN_STAMPS: Final = (
    *("cloth", "people", "hat", "shoe", "hobbies", "faces"),
    *("watch", "umbrella", "glasses", "bag", "medieval", "costume"),
)
EMOJI: Final = (
    (0x1F300, 0x1F440),
    (0x1F4A0, 0x1F5FF),
    (0x1F680, 0x1F700),
    (0x1F950, 0x1F9D0),
    (0x1FA74, 0x1FAF0),
)
WORN_EMOJI: Final = {
    *range(0x1F451, 0x1F463),
    *(
        0x1F392,
        0x1F45F,
        0x1F97E,
        0x1F97F,
        0x1F9E2,
        0x1F9E3,
        0x1F9E4,
        0x1F9E5,
        0x1F9E6,
        0x1F97B,
        0x1FA71,
        0x1FA72,
    ),
    *(
        0x1FA73,
        0x1FA74,
        0x1F48D,
        0x1F393,
        0x1F3A9,
        0x231A,
        0x1F576,
        0x1F453,
        0x1F97D,
        0x1F97C,
        0x1F4BC,
        0x1F302,
    ),
    *(0x1F6CD, 0x1FA70, 0x26F1, 0x1F484, 0x1F485),
}
"""Pictures of things that a fashion shop sells, which cannot be examples without a product."""


def main(downloads: Path, out: Path) -> None:
    """Prepare all sources again."""
    sets, negatives = out / "sets", Negatives(out)
    shutil.rmtree(sets, ignore_errors=True)
    people = downloads / "clothing-dataset-small"
    write_set(sets / "people", read_rows(people / "labels.csv"), people)
    for source in sorted((downloads / "other-shops").iterdir()):
        rows = read_rows(source / "labels.csv")
        for row in rows:
            if row["masterCategory"] == "none":
                negatives.add(source / "images" / row["file"])
        products = [row for row in rows if row["masterCategory"] not in {"none", ""}]
        if source.name == CUT_OUT:
            write_set(sets / source.name, products, None)
            vary_backgrounds(products, source / "images", sets / source.name / "images")
        elif source.name in SOURCES:
            write_set(sets / source.name, products, source / "images")
    for path in (*find_stamps(), *draw_emoji(out / "emoji"), *crop_wallpapers(out / "wallpapers")):
        negatives.add(path)
    print(f"{negatives.count:,} photos of no product")


def read_rows(path: Path) -> list[Row]:
    """Read the labels of a source, with those implied by its own classes."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        own_class = row.get("class") or row.get("original_class", "")
        if not row["articleType"] and own_class in JACKETS:
            row.update(subCategory="Topwear", articleType="Jackets")
        elif not row["articleType"] and own_class == "Cardigan":
            row.update(articleType="Sweaters")
    return rows


def write_set(folder: Path, rows: Sequence[Row], photos: Path | None) -> None:
    """Write a source as a catalogue with its photos elsewhere, or, without `photos`, in its own folder."""
    licence, attribution = SOURCES[folder.name]
    folder.mkdir(parents=True)
    (folder / "catalogue.toml").write_text(
        'table = "labels.csv"\nphotos = "images"\nphoto = "file"\n'
        f'licence = "{licence}"\nattribution = "{attribution}"\n'
        'levels = ["masterCategory", "subCategory", "articleType"]\n\n'
        '[columns]\ngender = "gender"\nbaseColour = "baseColour"\n',
        encoding="utf-8",
    )
    if photos is not None:
        (folder / "images").symlink_to(photos.resolve())
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{folder.name}: {len(rows):,} photos")


def vary_backgrounds(rows: Sequence[Row], source: Path, target: Path) -> None:
    """Copy photos of garments cut out on white, most of them with margins, onto another plain background."""
    target.mkdir()
    for row in rows:
        chance = random.Random(row["file"])
        if chance.random() < AS_THEY_ARE:
            shutil.copy(source / row["file"], target)
            continue
        photo = np.asarray(Image.open(source / row["file"]).convert("RGB"), np.float32)
        image = Image.fromarray(set_on_plain(photo, chance).clip(0, 255).astype(np.uint8))
        image.save(target / row["file"], quality=chance.randint(75, 95))


def set_on_plain(photo: Floats, chance: random.Random) -> Floats:
    """Return a photo (height, width, 3) with margins, on a light, slightly uneven background, keeping shadows."""
    mask, colour = find_background(photo)
    grey, darker = (chance.uniform(225, 250),) * 3, (chance.uniform(200, 240),) * 3
    tinted = tuple(chance.uniform(210, 250) for _ in range(3))
    base = chance.choice([grey, darker, tinted])
    height, width = photo.shape[:2]
    left, right, above, below = (chance.uniform(0.02, 0.22) for _ in range(4))
    full_width, full_height = int(width * (1 + left + right)), int(height * (1 + above + below))
    x, y = int(width * left), int(height * above)
    slope = (
        1
        + chance.uniform(-0.05, 0.05) * np.linspace(-1, 1, full_height)[:, None, None]
        + chance.uniform(-0.03, 0.03) * np.linspace(-1, 1, full_width)[None, :, None]
    )
    canvas = (np.array(base, np.float32) * slope).astype(np.float32)
    shadow = np.clip(photo / np.maximum(colour, 1), 0, 1.05)
    share, part = mask[..., None], canvas[y : y + height, x : x + width]
    canvas[y : y + height, x : x + width] = photo * (1 - share) + part * shadow * share
    return canvas


class Negatives:
    """The folder of photos without products: links, numbered in the order in which they were added."""

    def __init__(self, out: Path) -> None:
        self.folder = out / "negatives"
        self.count = 0
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def add(self, path: Path) -> None:
        """Link to a photo, unless it is too small to show anything."""
        with Image.open(path) as image:
            if min(image.size) < SMALLEST_SIDE:
                return
        self.count += 1
        name = f"{self.count:05}-{path.parent.name}-{path.stem}{path.suffix.lower()}"
        (self.folder / name[-200:]).symlink_to(path.resolve())


def find_stamps() -> Iterator[Path]:
    """Yield the stamps that show nothing to wear."""
    for path in sorted(STAMPS.rglob("*.png")):
        if not any(word in str(path).lower() for word in WORN_STAMPS):
            yield path


def draw_emoji(folder: Path) -> Iterator[Path]:
    """Draw the emoji that show nothing to wear, each on its own light grey."""
    folder.mkdir(exist_ok=True)
    if not EMOJI_FONT.is_file():
        return
    font = ImageFont.truetype(EMOJI_FONT, 109)
    for code in (code for first, end in EMOJI for code in range(first, end) if code not in WORN_EMOJI):
        chance = random.Random(code)
        image = Image.new("RGB", (150, 150), (chance.randint(225, 255),) * 3)
        place = (chance.randint(2, 14), chance.randint(2, 14))
        ImageDraw.Draw(image).text(place, chr(code), font=font, embedded_color=True)
        if np.asarray(image.convert("L")).std() >= FLATTEST:
            image.save(folder / f"{code:x}.png")
            yield folder / f"{code:x}.png"


def crop_wallpapers(folder: Path, each: int = 5) -> Iterator[Path]:
    """Crop parts of the installed wallpapers."""
    folder.mkdir(exist_ok=True)
    for path in (path for wallpapers in WALLPAPERS for path in sorted(wallpapers.rglob("*"))):
        if path.suffix.lower() not in {".jpg", ".jpeg", ".png", ".webp"} or not path.is_file():
            continue
        with Image.open(path) as image:
            image.draft("RGB", (1600, 1200))
            picture = image.convert("RGB")
        if min(picture.size) < SMALLEST_WALLPAPER:
            continue
        chance = random.Random(path.name)
        for number in range(each):
            size = chance.uniform(0.3, 0.9)
            width, height = int(picture.width * size * chance.uniform(0.5, 1)), int(picture.height * size)
            x, y = chance.randint(0, picture.width - width), chance.randint(0, picture.height - height)
            crop = picture.crop((x, y, x + width, y + height))
            crop.thumbnail((288, 288))
            crop.save(folder / f"{path.stem}-{number}.jpg", quality=88)
            yield folder / f"{path.stem}-{number}.jpg"


if __name__ == "__main__":
    match sys.argv[1:]:
        case [downloads, out]:
            main(Path(downloads), Path(out))
        case _:
            sys.exit(__doc__)
