"""What may be wrong with a labelled photo: the codes that tables, summaries and the API share."""

from enum import StrEnum


class Flag(StrEnum):
    """Why a label should be checked. The value is the stable code; `explanation` is for people."""

    NOT_A_PRODUCT = "not_a_product"
    BLANK = "blank"
    TOO_SMALL = "too_small"
    TOO_DARK = "too_dark"
    BLURRED = "blurred"

    @property
    def explanation(self) -> str:
        """One short sentence for people."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    Flag.NOT_A_PRODUCT: "the photo does not look like a fashion product",
    Flag.BLANK: "the photo shows nothing",
    Flag.TOO_SMALL: "the photo is too small for the detail that the model needs",
    Flag.TOO_DARK: "the photo is too dark",
    Flag.BLURRED: "the photo is blurred",
}
