"""Opening what is measured on: a split of a catalogue, the custom set beside it, or any labelled set."""

from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from hangtag.datasets.joined import JOINT, JoinedCatalogue
from hangtag.datasets.opening import Catalogue, open_catalogue, open_custom_set
from hangtag.datasets.splits import PHOTO_COLUMN, TEST, TRAIN, VALIDATION
from hangtag.domain.errors import UsageError
from hangtag.evaluation.photo_set import CUSTOM, PhotoSet, catalogue_photos, split_photos
from hangtag.evaluation.sample import choose_photos
from hangtag.tables.tables import read_table

SPLIT_NAMES: Final = (TEST, VALIDATION, TRAIN)


class PhotoSets:
    """The photo sets of a catalogue and its split table, and any other labelled set. Closes what it opened."""

    def __init__(self, catalogue: Path | None = None, split_table: Path | None = None) -> None:
        self._catalogue = catalogue
        self._split_table = split_table
        self._stack = ExitStack()

    def open(self, on: str) -> PhotoSet:
        """Open a split by its name, the custom set as `custom`, or any labelled set by its path.

        Raises `UsageError` when something needed for it was not given, or there is no such set, and `CatalogueError`
        when it cannot be read.
        """
        if on in SPLIT_NAMES:
            return self._open_split(on)
        if on == CUSTOM:
            custom = self._open_custom()
            if custom is None:
                raise UsageError(
                    "there is no custom set beside the catalogue",
                    where=self._catalogue,
                    fix="Make one with hangtag custom, or name its folder with --on.",
                )
            return custom
        if not Path(on).exists():
            raise UsageError(
                f"{on!r} is no split and no path",
                where="--on",
                fix=f"It is {', '.join(SPLIT_NAMES)}, {CUSTOM}, or the path of a folder or table of labelled photos.",
            )
        return catalogue_photos(self._stack.enter_context(open_catalogue(Path(on))))

    def sample(self, measured: PhotoSet, count: int, seed: int) -> list[PhotoSet]:
        """Return what a workbook shows: the whole custom set, and `count` photos of the test split.

        A labelled set of one's own gives `count` photos, too. Photos of the train split are never among them.
        """
        custom = None if self._catalogue is None else self._open_custom()
        sets = [] if custom is None else [custom]
        if self._catalogue is not None and self._split_table is not None:
            sets.append(choose_photos(self._open_split(TEST), count, seed))
        if measured.split_table is None and measured.name != CUSTOM:
            sets.append(choose_photos(measured, count, seed))
        return sets

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open_split(self, split: str) -> PhotoSet:
        if self._split_table is None:
            raise UsageError(
                f"the {split} split needs the table that says which photos it has",
                fix="Name the table from hangtag split with --split-table.",
            )
        catalogue = self._stack.enter_context(open_catalogue(self._need_catalogue()))
        photos = split_photos(read_table(self._split_table), catalogue, split)
        if not any(name.startswith(CUSTOM + JOINT) for name in photos.rows[PHOTO_COLUMN].to_pylist()):
            return photos
        return PhotoSet(split, photos.rows, self._join_custom(catalogue), photos.facts, photos.split_table)

    def _join_custom(self, catalogue: Catalogue) -> Catalogue:
        """Return the catalogue with the custom set, as far as there is one, for a table that draws on both."""
        custom = open_custom_set(self._need_catalogue())
        return (
            catalogue
            if custom is None
            else self._stack.enter_context(JoinedCatalogue(catalogue, {CUSTOM: custom}))
        )

    def _open_custom(self) -> PhotoSet | None:
        catalogue = open_custom_set(self._need_catalogue())
        return None if catalogue is None else catalogue_photos(self._stack.enter_context(catalogue), CUSTOM)

    def _need_catalogue(self) -> Path:
        if self._catalogue is None:
            raise UsageError(
                "measuring on a split or the custom set needs a catalogue",
                fix="Name it with --catalogue, or measure on a folder or table of labelled photos with --on.",
            )
        return self._catalogue
