"""A catalogue of 60 drawn products."""

import random

from PIL import Image, ImageDraw

HEADER = "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,productDisplayName"
PATHS = (
    ("Apparel", "Topwear", "Tshirts"),
    ("Apparel", "Topwear", "Shirts"),
    ("Apparel", "Bottomwear", "Jeans"),
    ("Footwear", "Shoes", "Casual Shoes"),
    ("Accessories", "Bags", "Handbags"),
)
COLOURS = {"Red": (200, 30, 40), "Blue": (30, 60, 200), "Green": (30, 140, 60), "Black": (20, 20, 20)}
TINY_PRODUCTS = 60


def build_tiny_catalogue(folder):
    images = folder / "images"
    images.mkdir(parents=True)
    with (folder / "styles.csv").open("w", newline="", encoding="utf-8") as file:
        file.write(HEADER + "\n")
        for number in range(TINY_PRODUCTS):
            file.write(_tiny_row(number) + "\n")
            if number != 24:
                drawn = 0 if number == 1 else number
                draw_product(drawn).save(images / f"{1000 + number}.jpg", quality=90)
    return folder


def _tiny_row(number):
    master, sub, article = PATHS[number // 12]
    colour = list(COLOURS)[number % len(COLOURS)]
    name = f"Acme {colour}, Large {article}" if number == 12 else f"Acme {colour} {article}"
    season = ("Summer", "Fall", "NA")[number % 3]
    gender = ("Men", "Women")[number % 2]
    return f"{1000 + number},{gender},{master},{sub},{article},{colour},{season},{2010 + number % 6},Casual,{name}"


def draw_product(number):
    """Draw the silhouette of the product's class in its colour, with its own pattern."""
    dice = random.Random(number)
    photo = Image.new("RGB", (60, 80), "white")
    pen = ImageDraw.Draw(photo)
    colour = list(COLOURS.values())[number % len(COLOURS)]
    outline = (
        [(5, 20), (55, 20), (55, 35), (44, 35), (44, 70), (16, 70), (16, 35), (5, 35)],
        [(18, 10), (42, 10), (56, 60), (46, 60), (42, 76), (18, 76), (14, 60), (4, 60)],
        [(16, 6), (44, 6), (46, 76), (34, 76), (30, 30), (26, 76), (14, 76)],
        [(4, 40), (24, 38), (52, 54), (56, 62), (4, 62)],
        [(8, 34), (52, 34), (56, 72), (4, 72)],
    )[number // 12 % len(PATHS)]
    pen.polygon(outline, fill=colour)
    for _ in range(4):
        left, top = dice.randrange(10, 40), dice.randrange(20, 60)
        shade = tuple(dice.randrange(256) for _ in range(3))
        pen.rectangle((left, top, left + dice.randrange(4, 16), top + dice.randrange(4, 16)), fill=shade)
    return photo
