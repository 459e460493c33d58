"""The columns of a catalogue, and those that a model can predict."""

from typing import Final

ID: Final = "id"
YEAR: Final = "year"
NAME: Final = "productDisplayName"

CATEGORY_COLUMNS: Final = ("masterCategory", "subCategory", "articleType")
"""The levels of the category path, from the root to the leaf."""

ATTRIBUTE_COLUMNS: Final = ("gender", "baseColour", "season", "usage")

LABEL_COLUMNS: Final = CATEGORY_COLUMNS + ATTRIBUTE_COLUMNS
"""Every column that the shipped model predicts, in the order in which tables show them."""

CATALOGUE_COLUMNS: Final = (ID, "gender", *CATEGORY_COLUMNS, "baseColour", "season", YEAR, "usage", NAME)
"""The columns of `styles.csv`, in file order. Only the last one is free text."""

# The columns of a table of labels, besides the labels themselves.
PATH: Final = "path"
MODEL: Final = "model"
STATUS: Final = "status"
REASON: Final = "reason"

ANSWER: Final = "answer"
"""The category path down to the deepest level that the model is confident of."""

ANSWER_LEVEL: Final = "answer_level"
"""The column of the answer's last label."""

FLAGS: Final = "flags"
"""What is wrong with the photo."""

LABELLED: Final = "labelled"
FAILED: Final = "failed"


def confidence_of(column: str) -> str:
    """Return the name of the column that holds a label's confidence."""
    return f"{column}_confidence"


def candidates_of(column: str) -> str:
    """Return the name of the column that holds a label's candidates."""
    return f"{column}_top"
