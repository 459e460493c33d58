"""The answers of a person who is asked for labels, kept at once, so that an interruption loses none."""

import json
from pathlib import Path
from typing import Final

from hangtag.catalogue.custom import Labels
from hangtag.domain.errors import CatalogueError
from hangtag.tables.files import write_json

ANSWERS_NAME: Final = "custom_answers.json"


class Answers:
    """What was answered so far, by photo and column, in a file of the custom set's folder.

    An answer is the labels that it gave: those of the whole category path, or none.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / ANSWERS_NAME
        self._by_photo: dict[str, dict[str, Labels]] = self._read() if self._path.exists() else {}

    def _read(self) -> dict[str, dict[str, Labels]]:
        try:
            said = json.loads(self._path.read_text(encoding="utf-8"))
            return {
                name: {column: dict(given) for column, given in one.items()} for name, one in said.items()
            }
        except (ValueError, TypeError, AttributeError) as error:
            fix = "Delete it to begin anew."
            raise CatalogueError("the answers kept here cannot be read", where=self._path, fix=fix) from error

    def has(self, name: str, column: str) -> bool:
        """Tell whether a photo's question was answered, be it with nothing."""
        return column in self._by_photo.get(name, {})

    def labels(self, name: str) -> Labels:
        """Return the labels that all answers for a photo give."""
        return {
            column: label
            for given in self._by_photo.get(name, {}).values()
            for column, label in given.items()
        }

    def keep(self, name: str, column: str, given: Labels) -> None:
        """Write an answer at once."""
        self._by_photo.setdefault(name, {})[column] = given
        write_json(self._by_photo, self._path)

    def forget(self, name: str) -> bool:
        """Drop the answers for a photo, until new ones are kept; tell whether there were any."""
        return self._by_photo.pop(name, None) is not None

    def remove(self) -> None:
        """Delete the file, once the answers are in the custom set's table."""
        self._path.unlink(missing_ok=True)
