"""How the cells of a workbook look, and which text they can hold.

Text is typed as text: no formula can start in such a cell, even edited.
"""

from dataclasses import dataclass
from typing import Any, Final

_LONGEST_TEXT: Final = 32_767
_GREEN: Final = {"bg_color": "#CFE8CF", "font_color": "#1E4D22"}
_INK: Final = "#24221E"
_FADED: Final = "#6F6A60"
_RULE: Final = "#D9D4C8"
_AS_TEXT: Final = {"num_format": "@", "font_color": _INK}
_IN_A_ROW: Final = {"valign": "vcenter", "bottom": 1, "bottom_color": _RULE, "indent": 1}


@dataclass(frozen=True, slots=True)
class Styles:
    """The formats of one workbook; `right` is what the rule for right answers lays over a cell."""

    title: Any
    heading: Any
    text: Any
    truth: Any
    reason: Any
    confidence: Any
    summary: Any
    count: Any
    share: Any
    note: Any
    right: Any

    @classmethod
    def of(cls, book: Any) -> "Styles":  # noqa: ANN401 - xlsxwriter has no types
        """Add the formats to a workbook."""
        text = {**_AS_TEXT, **_IN_A_ROW}
        number = {"font_color": _INK, "indent": 1}
        return cls(
            title=book.add_format({**_AS_TEXT, "bold": True, "font_size": 14}),
            heading=book.add_format(
                {**_AS_TEXT, "bold": True, "bottom": 2, "valign": "vcenter", "indent": 1}
            ),
            text=book.add_format(text),
            truth=book.add_format({**text, "bold": True}),
            reason=book.add_format({**text, "italic": True, "font_color": _FADED, "text_wrap": True}),
            confidence=book.add_format(
                {**_IN_A_ROW, "font_color": _FADED, "num_format": "0.0%", "align": "left"}
            ),
            summary=book.add_format({**_AS_TEXT, "font_color": _FADED, "indent": 1}),
            count=book.add_format({**number, "num_format": "0", "align": "left", "bold": True}),
            share=book.add_format({**number, "num_format": "0.0%", "align": "left"}),
            note=book.add_format({**_AS_TEXT, "text_wrap": True, "valign": "top"}),
            right=book.add_format(_GREEN),
        )


def plain(text: str) -> str:
    """Return a text as a cell can hold it: what is no Unicode is spelled out, and what is too long is cut."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")[:_LONGEST_TEXT]
