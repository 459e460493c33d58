"""`Predictions` as tables: Arrow, for pandas and polars, and HTML with photos, for notebooks."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from hangtag.domain.columns import (
    ANSWER,
    ANSWER_LEVEL,
    FAILED,
    FLAGS,
    LABELLED,
    MODEL,
    PATH,
    REASON,
    STATUS,
    candidates_of,
    confidence_of,
)
from hangtag.domain.errors import PhotoError
from hangtag.domain.prediction import Failure, Outcome
from hangtag.domain.taxonomy import format_path
from hangtag.imaging.budget import DEFAULT_LIMITS
from hangtag.imaging.decode import decode_photo
from hangtag.inference.predictions import Predictions
from hangtag.tables.cells import Cell, Kind, name_beside

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hangtag.imaging.batches import PhotoSource
    from hangtag.inference.predictions import Predictions
    from hangtag.tables.writing import Rows


def label_kinds(columns: Iterable[str], top_k: int, *, with_model: bool = False) -> dict[str, Kind]:
    """Return the kind of each column of a table of labels by name, in table order.

    With `top_k` over 1, each label has a column of candidates. With `with_model`, a column names the row's model.
    """
    kinds = {PATH: Kind.PATH} | ({MODEL: Kind.TEXT} if with_model else {})
    kinds |= {STATUS: Kind.TEXT, REASON: Kind.TEXT}
    for column in columns:
        kinds |= {column: Kind.TEXT, confidence_of(column): Kind.CONFIDENCE}
        if top_k > 1:
            kinds[candidates_of(column)] = Kind.CANDIDATES
    return kinds | {ANSWER: Kind.TEXT, ANSWER_LEVEL: Kind.TEXT, FLAGS: Kind.NAMES}


def build_columns(predictions: Predictions, top_k: int) -> Rows:
    """Return the columns of `label_kinds`, each with n values.

    A photo without labels has a reason, and None in every column except its path and status.
    """
    columns: Rows = {
        PATH: list(predictions.names),
        STATUS: [LABELLED if reason is None else FAILED for reason in predictions.reasons],
        REASON: [None if reason is None else reason.value for reason in predictions.reasons],
    }
    for column in predictions.columns:
        columns[column] = list[Cell](predictions.labels(column))
        columns[confidence_of(column)] = _only_labelled(predictions, predictions.confidence(column).tolist())
        if top_k > 1:
            candidates = _build_candidates(predictions, column, top_k)
            columns[candidates_of(column)] = _only_labelled(predictions, candidates)
    return columns | {
        ANSWER: [format_path(answer) or None for answer in predictions.answers],
        ANSWER_LEVEL: list[Cell](predictions.answer_levels),
        FLAGS: _only_labelled(predictions, list[Cell](predictions.flags)),
    }


def build_table(predictions: Predictions, top_k: int) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return a `pyarrow.Table` of the photos' extra columns followed by the labels."""
    import pyarrow as pa  # noqa: PLC0415 - labelling a photo does not need Arrow

    from hangtag.tables.parquet import ArrowRows  # noqa: PLC0415 - as above

    kinds = label_kinds(predictions.columns, top_k)
    labels = ArrowRows(kinds).pack(build_columns(predictions, top_k))
    extra = list(dict.fromkeys(name for values in predictions.extra for name in values))
    titles = name_beside(extra, kinds, "given")
    table = {
        title: pa.array([values.get(name) for values in predictions.extra])
        for title, name in zip(titles, extra, strict=True)
    }
    return pa.table(table | dict(zip(kinds, labels.columns, strict=True)))


def _build_candidates(predictions: Predictions, column: str, top_k: int) -> list[Cell]:
    classes = predictions.card.head(column).classes
    indices, confidences = predictions.top_k(column, top_k)
    return [
        [(classes[index], value) for index, value in zip(row, values, strict=True)]
        for row, values in zip(indices.tolist(), confidences.tolist(), strict=True)
    ]


def _only_labelled(predictions: Predictions, cells: list[Cell]) -> list[Cell]:
    """Return a column with its values cleared for photos without labels."""
    if not any(predictions.reasons):
        return cells
    return [cell if reason is None else None for cell, reason in zip(cells, predictions.reasons, strict=True)]


MOST_ROWS: Final = 20
"""Notebook files store what is displayed, so long tables are cut."""

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
    except (PhotoError, OSError, ValueError):  # the photo's source may be closed
        return ""
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode("ascii")}">'
