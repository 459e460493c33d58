"""The outputs of labelling: CSV, XLSX, JSONL or Parquet, a folder of Parquet parts, or standard output."""

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from hangtag.bundle.card import Card
from hangtag.domain.columns import LABEL_COLUMNS, MODEL
from hangtag.domain.durable import replacing
from hangtag.domain.errors import UsageError
from hangtag.inference.frames import build_columns, label_kinds
from hangtag.inference.predictions import Predictions
from hangtag.tables.cells import Cell, Kind, as_kind, name_beside
from hangtag.tables.writing import FORMATS, STREAMED_FORMATS, Format, Rows, TableWriter, open_writer


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a table of labels.

    `label_columns` are the usual columns and any others that a model predicts. `answered` are those that some model
    predicts; the others stay empty. With several `models`, given by name, each row is for one photo and one model.
    With `top_k` over 1, each label has a column of candidates. `given` are the columns that came with the photos,
    with their kinds. They come first, with `(given)` after names that the table has itself.
    """

    label_columns: tuple[str, ...] = LABEL_COLUMNS
    answered: frozenset[str] = frozenset(LABEL_COLUMNS)
    models: tuple[str, ...] = ("default",)
    top_k: int = 1
    given: tuple[tuple[str, Kind], ...] = ()

    @classmethod
    def for_models(
        cls, cards: Mapping[str, Card], top_k: int = 1, given: tuple[tuple[str, Kind], ...] = ()
    ) -> "Layout":
        """Lay out the columns for these models, given by name, and for the columns that came with the photos."""
        answered = dict.fromkeys(column for card in cards.values() for column in card.columns)
        others = tuple(column for column in answered if column not in LABEL_COLUMNS)
        return cls(LABEL_COLUMNS + others, frozenset(answered), tuple(cards), top_k, given)

    @property
    def compares_models(self) -> bool:
        """Whether rows have to name their model."""
        return len(self.models) > 1

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kind of each column by name, in table order."""
        names, kinds = self.given_names, dict(self.given)
        return {names[name]: kinds[name] for name in names} | self._own_kinds

    @property
    def given_names(self) -> dict[str, str]:
        """The name in the table of each column that came with the photos, by its original name."""
        own = [name for name, _ in self.given]
        return dict(zip(own, name_beside(own, self._own_kinds, "given"), strict=True))

    @property
    def _own_kinds(self) -> dict[str, Kind]:
        return label_kinds(self.label_columns, self.top_k, with_model=self.compares_models)


def build_rows(batch: Sequence[Predictions], layout: Layout) -> Rows:
    """Return the rows of a batch: for each photo one row per model, in the order of the layout's models."""
    tables = [
        _build_rows(predictions, model, layout)
        for predictions, model in zip(batch, layout.models, strict=True)
    ]
    if len(tables) == 1:
        return tables[0]
    return {
        name: [cell for cells in zip(*(table[name] for table in tables), strict=True) for cell in cells]
        for name in layout.kinds
    }


def _build_rows(predictions: Predictions, model: str, layout: Layout) -> Rows:
    """Return the rows of one model. Columns that it does not predict stay empty."""
    extra = predictions.extra or ({},) * len(predictions)
    titles = layout.given_names
    given = {
        titles[name]: [as_kind(values.get(name), kind) for values in extra] for name, kind in layout.given
    }
    found = build_columns(predictions, layout.top_k) | {MODEL: [model] * len(predictions)}
    empty: list[Cell] = [None] * len(predictions)
    return {name: given[name] if name in given else found.get(name, empty) for name in layout.kinds}


STANDARD_OUTPUT: Final = Path("-")


@dataclass(frozen=True, slots=True)
class Output:
    """A table to write: its path, its format, and whether it is a folder of parts instead of one file."""

    path: Path
    format: Format
    is_folder: bool = False

    @classmethod
    def choose(cls, name: str | None, chosen: Format | None = None) -> "Output | None":
        """Return the output for a name and a format, as `parse` does. Without either, return None: the terminal.

        A format without a name means a table on standard output.
        """
        if name is None and chosen is None:
            return None
        return cls.parse(str(STANDARD_OUTPUT) if name is None else name, chosen)

    @classmethod
    def parse(cls, name: str, chosen: Format | None = None) -> "Output":
        """Return the output with this name. Check that it can be written before any photo is labelled.

        `-` is standard output, and a name that ends in `/` is a folder of Parquet parts. For any other name the
        extension selects the format, unless one is `chosen`. Raises `UsageError` for an invalid name.
        """
        path, is_folder = Path(name), name.endswith(("/", "\\")) and name != "-"
        if path == STANDARD_OUTPUT:
            output = cls(path, chosen or "csv")
        elif is_folder:
            output = cls(path, chosen or "parquet", is_folder=True)
        else:
            output = cls(path, chosen or _format_of(path))
        output.check()
        return output

    @property
    def is_standard_output(self) -> bool:
        """Whether the table goes to standard output."""
        return self.path == STANDARD_OUTPUT

    def check(self) -> None:
        """Raise `UsageError` if the table cannot be written."""
        if self.is_standard_output:
            if self.format not in STREAMED_FORMATS:
                raise UsageError(f"{self.format} cannot go to standard output", fix="Write to a file.")
            return
        if self.is_folder and self.format != "parquet":
            raise UsageError(
                "a folder of parts can only be Parquet",
                where=self.path,
                fix=f"Give `output` a name that ends in .{self.format}.",
            )
        if not self.path.parent.is_dir():
            raise UsageError(
                "there is no such folder", where=self.path.parent, fix="Make it, or choose another `output`."
            )
        if self.path.is_dir() and not self.is_folder:
            raise UsageError(
                "this is a folder", where=self.path, fix=f"Write {self.path}/ to fill it with Parquet parts."
            )
        is_usual = self.path.is_dir() if self.is_folder else self.path.is_file()  # not a device or a pipe
        if self.path.exists() and not is_usual:
            raise UsageError("this is not a regular file", where=self.path)


@contextlib.contextmanager
def open_table(output: Output, layout: Layout, workplace: Path | None = None) -> Iterator[TableWriter]:
    """Open the table of an output that is not a folder. Standard output is always CSV.

    The file appears under its name when the block ends. If the block fails or is interrupted, nothing appears and an
    earlier file stays. Until then the table is written in the folder `workplace`, which must be on the same file
    system, or next to its final path.
    """
    with contextlib.ExitStack() as stack:
        if output.is_standard_output:
            file: BinaryIO = sys.stdout.buffer
        else:
            temporary = stack.enter_context(replacing(output.path.resolve(), workplace))
            file = stack.enter_context(temporary.open("wb"))
        writer = open_writer(file, output.format, layout.kinds)
        try:
            yield writer
        except BaseException:
            writer.discard()
            raise
        writer.finish()
        file.flush()


def _format_of(path: Path) -> Format:
    for name in FORMATS:
        if path.suffix.lower() == f".{name}":
            return name
    raise UsageError(
        f"no table format ends in {path.suffix!r}" if path.suffix else "the name has no extension",
        where=path,
        fix="Use one of .csv, .xlsx, .jsonl, .parquet; a name that ends in / is a folder of Parquet parts, and - is "
        "standard output.",
    )
