"""`Predictions` as a table for a notebook: the photos next to their labels, every text escaped."""

import base64
import io
from html import escape
from typing import Final

from PIL import Image

from hangtag.domain.errors import PhotoError
from hangtag.domain.prediction import Failure, Outcome
from hangtag.domain.taxonomy import format_path
from hangtag.imaging.batches import PhotoSource
from hangtag.imaging.budget import DEFAULT_LIMITS
from hangtag.imaging.decode import decode_photo
from hangtag.inference.predictions import Predictions

MOST_ROWS: Final = 20
"""A notebook keeps what it shows in its file, so a long table is cut."""

_SIDE: Final = 72
"""The longer side of a picture, in pixels."""


def render_table(predictions: Predictions) -> str:
    """Return the first `MOST_ROWS` photos as an HTML table, with pictures where the photos can still be read."""
    first = predictions[:MOST_ROWS]
    pictures = [_picture(photo) for photo in first.photos] or [""] * len(first)
    columns = [column for column in predictions.columns if column not in predictions.levels]
    titles = ["", "photo", *(["answer"] if predictions.levels else []), *columns, "flags"]
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = [
        f"<tr><td>{picture}</td>{_cells(row, columns, bool(predictions.levels))}</tr>"
        for picture, row in zip(pictures, first.rows(1), strict=True)
    ]
    rest = len(predictions) - len(first)
    more = f"<p>and {rest:,} more photos</p>" if rest else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>{more}"


def _cells(row: Outcome, columns: list[str], has_path: bool) -> str:  # noqa: FBT001 - of a table's layout
    if isinstance(row, Failure):
        texts = [row.photo, f"{row.reason.value}: {row.detail}"]
        width = len(columns) + 1 + has_path
        return f'<td>{escape(texts[0])}</td><td colspan="{width}">{escape(texts[1])}</td>'
    texts = [row.photo]
    if has_path:
        texts.append(format_path(row.answer) or "not sure")
    texts += [f"{row[column].value} {row[column].confidence:.0%}" for column in columns]
    texts.append(", ".join(flag.value for flag in row.flags))
    return "".join(f"<td>{escape(text)}</td>" for text in texts)


def _picture(photo: PhotoSource) -> str:
    try:
        image = decode_photo(photo.read(DEFAULT_LIMITS), at_least=(_SIDE, _SIDE))
    except (PhotoError, OSError, ValueError):  # what it came from may be closed
        return ""
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode("ascii")}">'
