"""Rows of tables of labels in the format of `hangtag predict`."""

CATEGORY = ("masterCategory", "subCategory", "articleType")
HEADER = (
    "sku", "name", "price", "path", "status", "reason", "masterCategory", "masterCategory_confidence", "subCategory",
    "subCategory_confidence", "articleType", "articleType_confidence", "gender", "gender_confidence", "baseColour",
    "baseColour_confidence", "season", "season_confidence", "usage", "usage_confidence", "answer", "answer_level",
    "flags",
)  # fmt: skip


def make_row(sku, path="Apparel › Topwear › Shirts", level="articleType", **values):
    """Return a row of a table of labels, confident of everything unless `values` say otherwise."""
    row = dict.fromkeys(HEADER, "") | {
        "sku": sku,
        "path": f"{sku}.jpg",
        "status": "labelled",
        "name": f"Shirt {sku}",
    }
    row |= dict(zip(CATEGORY, path.split(" › "), strict=True))
    row |= {
        "gender": "Women",
        "baseColour": "Navy Blue",
        "season": "Summer",
        "usage": "Casual",
        "price": "9.50",
    }
    row |= {name: "0.9900" for name in HEADER if name.endswith("_confidence")}
    depth = CATEGORY.index(level) + 1 if level else 0
    row |= {"answer": " › ".join(path.split(" › ")[:depth]), "answer_level": level}
    return row | {name: str(value) for name, value in values.items()}
