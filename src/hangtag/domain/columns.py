"""The columns of a catalogue and which of them a model can write."""

from typing import Final

ID: Final = "id"
YEAR: Final = "year"
NAME: Final = "productDisplayName"

CATEGORY_COLUMNS: Final = ("masterCategory", "subCategory", "articleType")
"""The levels of the category path, from the root to the leaf."""

ATTRIBUTE_COLUMNS: Final = ("gender", "baseColour", "season", "usage")

LABEL_COLUMNS: Final = CATEGORY_COLUMNS + ATTRIBUTE_COLUMNS
"""Every column that the shipped model answers, in the order in which tables show them."""

CATALOGUE_COLUMNS: Final = (ID, "gender", *CATEGORY_COLUMNS, "baseColour", "season", YEAR, "usage", NAME)
"""The columns of `styles.csv`, in file order. Only the last one is free text."""
