"""A catalogue without a table: photos sorted into folders that are named after their labels."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from hangtag.datasets.folder import EXPECTED, PhotoFolder, count_endings
from hangtag.datasets.interface import KeepsNothingOpen
from hangtag.datasets.splits import GIVEN_COLUMN, read_split_name
from hangtag.domain.columns import CATEGORY_COLUMNS, ID
from hangtag.domain.errors import CatalogueError
from hangtag.tables.matching import product_id
from hangtag.tables.tables import stream_table

DESCRIBE_IT: Final = "Say what the folders mean in a catalogue.toml: folders = [...]."


class ClassFolders(KeepsNothingOpen):
    """Photos in nested folders. `columns` are the meanings of the folders, outermost first.

    By default the innermost folders are the articleType, their parents the subCategory and masterCategory, and
    top-level folders that are called train, validation and test are the published split. A photo that is less deeply
    nested has only the labels of the folders it is in.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        columns: Sequence[str] | None = None,
        stated_source: tuple[str, str] = ("", ""),
    ) -> None:
        self.name = name
        self.stated_source = stated_source
        self._photos = PhotoFolder(folder, deep=True)
        self._named_columns = columns

    @cached_property
    def _columns(self) -> tuple[str, ...]:
        deepest = max(self._photos.names, key=lambda name: (name.count("/"), name), default="")
        depth = deepest.count("/")
        if not depth:
            raise CatalogueError(
                "there are no photos in sub-folders", where=self._photos.folder, fix=EXPECTED
            )
        columns = self._named_columns or _usual_columns(self._photos.names, depth)
        if depth > len(columns):
            problem = f"{deepest} lies {depth} folders deep, and {len(columns)} levels have a meaning"
            raise CatalogueError(problem, where=self._photos.folder, fix=DESCRIBE_IT)
        return tuple(columns)

    def open_table(self) -> BinaryIO:
        """Return a table with a row for each photo; raises `CatalogueError` if the folders have no meaning."""
        return stream_table((ID, *self._columns), self._iter_rows())

    def _iter_rows(self) -> Iterator[list[str]]:
        for name in sorted(self._photos.names):
            labels = PurePosixPath(name).parts[:-1]
            yield [product_id(name), *labels, *[""] * (len(self._columns) - len(labels))]

    def photo_names(self) -> frozenset[str]:
        """Return the photos by their path, such as `Shirts/7.jpg`."""
        return self._photos.names

    def other_files(self) -> Mapping[str, int]:
        """Count the files in the folders that do not have a photo's extension, by extension."""
        return count_endings(self._photos.other_files)

    def read_photo(self, name: str) -> bytes:
        """Return the bytes of one photo; raises `PhotoError`."""
        return self._photos.read(name)


def _usual_columns(names: frozenset[str], depth: int) -> tuple[str, ...]:
    outermost = {name.partition("/")[0] for name in names if "/" in name}
    if depth > 1 and all(map(read_split_name, outermost)):
        return (GIVEN_COLUMN, *CATEGORY_COLUMNS[1 - depth :])
    return CATEGORY_COLUMNS[-depth:]
