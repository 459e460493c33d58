"""People's decisions as a table and as Label Studio's JSON, and the agreement of two reviewers.

Label Studio's format: https://labelstud.io/guide/task_format.html. A task's `data` names the photo, each of its
`annotations` is one reviewer's, and each of an annotation's results is one choice: `from_name` is the attribute.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hangtag.domain.errors import TableError
from hangtag.tables.reading import open_table
from hangtag.tables.tables import csv_writer, whole_file, write_json

COLUMNS: Final = ("photo", "attribute", "label", "reviewer", "decided")
"""The columns of a table of decisions."""

_PHOTO_KEYS: Final = ("photo", "image", "img", "url", "file")
_TO_NAME: Final = "image"


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's label for a photo in a column. `decided` is an ISO time; empty if unknown."""

    photo: str
    column: str
    label: str
    reviewer: str = ""
    decided: str = ""


def read_decisions(path: Path) -> list[Decision]:
    """Read decisions: a JSON file exported by Label Studio, or a table with the columns `COLUMNS`.

    Raises `TableError` for any other file.
    """
    if path.suffix.lower() == ".json":
        return _read_label_studio(path)
    table = open_table(path)
    places = [table.place(name) for name in COLUMNS[:3]]
    more = [table.names.index(name) if name in table.names else None for name in COLUMNS[3:]]
    found = []
    for _, values in table:
        cells = [str(values[place] or "").strip() for place in places]
        rest = ["" if place is None else str(values[place] or "").strip() for place in more]
        if all(cells):
            found.append(Decision(*cells, *rest))
    return found


def is_decisions(path: Path) -> bool:
    """Return whether a file has decisions: Label Studio's JSON, or a table with attributes and labels in columns."""
    if path.suffix.lower() == ".json":
        return True
    try:
        return set(COLUMNS[:3]) <= set(open_table(path).names)
    except (TableError, OSError):
        return False


def write_decisions(decisions: Iterable[Decision], path: Path) -> None:
    """Write decisions, whole or not at all: for Label Studio if the name ends in `.json`, else as CSV.

    Raises `CatalogueError` if the file cannot be written.
    """
    if path.suffix.lower() == ".json":
        write_json(render_label_studio(decisions), path)
        return
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv_writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(
            (found.photo, found.column, found.label, found.reviewer, found.decided) for found in decisions
        )


def render_label_studio(decisions: Iterable[Decision]) -> list[dict[str, Any]]:
    """Return Label Studio tasks with a photo's decisions as annotations, one for each reviewer."""
    by_photo: dict[str, dict[str, list[Decision]]] = {}
    for decision in decisions:
        by_photo.setdefault(decision.photo, {}).setdefault(decision.reviewer, []).append(decision)
    return [
        {
            "id": number,
            "data": {_TO_NAME: photo},
            "annotations": [_annotation(reviewer, said) for reviewer, said in reviewers.items()],
        }
        for number, (photo, reviewers) in enumerate(by_photo.items(), 1)
    ]


def labelling_config(classes: Mapping[str, Sequence[str]]) -> str:
    """Return the Label Studio labelling interface for deciding these columns."""
    from xml.etree import ElementTree as ET  # noqa: PLC0415 - writes only what is hangtag's own

    view = ET.Element("View")
    ET.SubElement(view, "Image", name=_TO_NAME, value=f"${_TO_NAME}")
    for column, labels in classes.items():
        ET.SubElement(view, "Header", value=column)
        choices = ET.SubElement(view, "Choices", name=column, toName=_TO_NAME, choice="single")
        for label in labels:
            ET.SubElement(choices, "Choice", value=label)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"


def merge_decisions(decisions: Iterable[Decision]) -> dict[str, dict[str, str]]:
    """Return the label of each photo by column: the latest decision, or the last one if times are equal."""
    latest: dict[tuple[str, str], Decision] = {}
    for decision in decisions:
        key = (decision.photo, decision.column)
        if key not in latest or decision.decided >= latest[key].decided:
            latest[key] = decision
    merged: dict[str, dict[str, str]] = {}
    for (photo, column), decision in latest.items():
        merged.setdefault(photo, {})[column] = decision.label
    return merged


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of two reviewers in a column.

    `photos` is how many both decided, `agreed` the share of equal labels, and `kappa` the agreement beyond chance: 1 is
    perfect, 0 is chance; None if both gave the same single label to all.
    """

    column: str
    reviewers: tuple[str, str]
    photos: int
    agreed: float
    kappa: float | None


def measure_agreement(decisions: Iterable[Decision]) -> list[Agreement]:
    """Return the agreement of reviewers, for each pair that decided the same photos in a column (Cohen, 1960)."""
    said: dict[str, dict[str, dict[str, str]]] = {}
    for found in decisions:
        said.setdefault(found.column, {}).setdefault(found.reviewer, {})[found.photo] = found.label
    results = []
    for column, reviewers in said.items():
        names = sorted(reviewers)
        for position, first in enumerate(names):
            for second in names[position + 1 :]:
                shared = sorted(reviewers[first].keys() & reviewers[second].keys())
                if shared:
                    pairs = [(reviewers[first][photo], reviewers[second][photo]) for photo in shared]
                    results.append(Agreement(column, (first, second), len(shared), *_kappa(pairs)))
    return results


def _kappa(pairs: Sequence[tuple[str, str]]) -> tuple[float, float | None]:
    count = len(pairs)
    agreed = sum(left == right for left, right in pairs) / count
    labels = {label for pair in pairs for label in pair}
    chance = sum(
        sum(left == label for left, _ in pairs) * sum(right == label for _, right in pairs)
        for label in labels
    ) / (count * count)
    return agreed, None if chance == 1 else (agreed - chance) / (1 - chance)


def _annotation(reviewer: str, said: Sequence[Decision]) -> dict[str, Any]:
    times = [decision.decided for decision in said if decision.decided]
    annotation: dict[str, Any] = {
        "result": [
            {
                "from_name": decision.column,
                "to_name": _TO_NAME,
                "type": "choices",
                "value": {"choices": [decision.label]},
            }
            for decision in said
        ],
        "was_cancelled": False,
        "ground_truth": False,
    }
    if reviewer:
        annotation["completed_by"] = {"email": reviewer}
    if times:
        annotation["created_at"] = annotation["updated_at"] = max(times)
    return annotation


def _read_label_studio(path: Path) -> list[Decision]:
    try:
        tasks = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise TableError(f"the decisions cannot be read ({error})", where=path) from None
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise TableError(
            "this is not a Label Studio export, which is a list of tasks",
            where=path,
            fix='Export the project there as "JSON".',
        )
    try:
        return [found for task in tasks for found in _read_task(task)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TableError(f"a task of the export cannot be read ({error})", where=path) from None


def _read_task(task: Mapping[str, Any]) -> Iterable[Decision]:
    """Yield the labels in each annotation of a task, ignoring cancelled ones and results other than choices."""
    photo = _find_photo(task["data"])
    for annotation in task.get("annotations", []):
        if annotation.get("was_cancelled"):
            continue
        decided = str(annotation.get("updated_at") or annotation.get("created_at") or "")
        reviewer = _read_reviewer(annotation.get("completed_by"))
        for result in annotation.get("result", []):
            chosen = result.get("value", {}).get("choices") if result.get("type") == "choices" else None
            if chosen:
                yield Decision(photo, str(result["from_name"]), str(chosen[0]), reviewer, decided)


def _find_photo(data: Mapping[str, Any]) -> str:
    key = next((key for key in _PHOTO_KEYS if key in data), next(iter(data), None))
    if key is None:
        raise ValueError("its data does not name a photo")
    return str(data[key])


def _read_reviewer(completed_by: object) -> str:
    """Return who made an annotation. Exports identify a user by number or describe the whole user."""
    if isinstance(completed_by, Mapping):
        return str(completed_by.get("email") or completed_by.get("id") or "")
    return "" if completed_by is None else str(completed_by)
