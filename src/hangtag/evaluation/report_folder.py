"""The folder of a report: figures as JSON and PNG, an HTML page, and a workbook."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from hangtag.bundle.card import Card
from hangtag.datasets.interface import OnProgress, silent
from hangtag.datasets.splits import SPLIT_COLUMN, TRAIN
from hangtag.domain.durable import write_whole
from hangtag.domain.errors import UsageError
from hangtag.evaluation.answers import answer_sample
from hangtag.evaluation.comparison import compare_models, read_duel
from hangtag.evaluation.curves import read_training
from hangtag.evaluation.evaluate import Measurement
from hangtag.evaluation.photo_set import PhotoSet
from hangtag.evaluation.reading import TrainingCounts, read_head, read_overview
from hangtag.evaluation.report_page import (
    OF_ALL_HEADS,
    Findings,
    Picture,
    build_page,
    draw_confusions,
    draw_coverage,
    draw_reliability,
)
from hangtag.evaluation.seen import is_own_table, judge
from hangtag.evaluation.workbook import write_workbook
from hangtag.inference.predicting import Predictor
from hangtag.tables.tables import write_json

PAGE: Final = "report.html"
FIGURES: Final = "report.json"
WORKBOOK: Final = "predictions.xlsx"
REPORT_FILES: Final = (PAGE, FIGURES, WORKBOOK)


def write_report(
    measurements: Mapping[str, Measurement], photos: PhotoSet, folder: Path, on_progress: OnProgress = silent
) -> None:
    """Write report.json, report.html and the PNGs of all models, by title, into a folder.

    Raises `UsageError` if matplotlib or Jinja2 is not installed, or a file cannot be written.
    """
    duels = compare_models(measurements)
    counts = {
        title: count_examples(measured.card, photos)
        for title, measured in measurements.items()
        if is_own_table(measured.card, photos)
    }
    pictures = _write_pictures(measurements, folder, on_progress)
    build_page(Findings(measurements, photos.catalogue, duels, counts, pictures)).write(folder / PAGE)
    write_json(
        {
            "models": {
                title: {**measured.report, "reading": _read(measured, counts.get(title, {}))}
                for title, measured in measurements.items()
            },
            "comparison": [
                {**asdict(duel), "chance": duel.chance, "reading": read_duel(duel)} for duel in duels
            ],
        },
        folder / FIGURES,
    )


def write_sample(
    models: Mapping[str, Predictor], sets: Sequence[PhotoSet], seed: int, folder: Path, threads: int = 2
) -> None:
    """Run the models, given by title, on the photos of the sets, and write `predictions.xlsx` into a folder.

    Raises `CatalogueError` if the file cannot be written.
    """
    photos = answer_sample(models, sets, threads)
    columns: dict[str, list[str]] = {}
    for title, model in models.items():
        for column in model.card.columns:
            if any(photo.truth.get(column) for photo in photos):
                columns.setdefault(column, []).append(title)
    notes = [
        "A prediction is green if it is the true label. If you correct a label, colours and counts follow.",
        *(
            f"{title}, version {model.card.version}: {model.card.description}"
            for title, model in models.items()
        ),
        *(f"{photos.rows.num_rows} photos come from {photos.name}." for photos in sets),
        f"Photos of a split are chosen by the seed {seed}: the same table and seed give the same photos.",
        *(
            f"{photos.name}: {judge(model.card, photos).reason}"
            for photos in sets
            for model in models.values()
        ),
    ]
    write_workbook(photos, columns, notes, folder / WORKBOOK)


def check_report_folder(folder: Path) -> None:
    """Create the folder, and check that a report can be written before hours are spent on its contents.

    Raises `UsageError` if matplotlib or Jinja2 is not installed, or the folder cannot be created.
    """
    lacking = [name for name in ("matplotlib", "jinja2") if find_spec(name) is None]
    if lacking:
        raise UsageError(
            f"a report needs {' and '.join(lacking)}", fix="Run `pip install 'hangtag[report]'`."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the folder cannot be made ({error.strerror})", where=folder, fix="Choose another `report`."
        ) from error


def count_examples(card: Card, photos: PhotoSet) -> TrainingCounts:
    """Return the number of training photos of each label of a model's columns, from the set's split table."""
    if photos.split_table is None:
        return {}
    rows = photos.split_table.select([SPLIT_COLUMN, *card.columns]).to_pydict()
    trained = [split == TRAIN for split in rows[SPLIT_COLUMN]]
    return {
        column: dict(
            Counter(label for label, used in zip(rows[column], trained, strict=True) if used and label)
        )
        for column in card.columns
    }


def file_names(titles: Sequence[str]) -> dict[str, str]:
    """Return a unique and valid part of a file name for each title."""
    names: dict[str, str] = {}
    for title in titles:
        plain = re.sub(r"[^\w.-]+", "-", title).strip(".-")[:60] or "model"
        taken = {name.lower() for name in names.values()}
        name, number = plain, 2
        while name.lower() in taken:
            name, number = f"{plain}-{number}", number + 1
        names[title] = name
    return names


def _read(measured: Measurement, counts: TrainingCounts) -> dict[str, Any]:
    return {
        "overview": read_overview(measured.report),
        "training": read_training(measured.card),
        "heads": {
            column: read_head(head, counts.get(column)) for column, head in measured.report["heads"].items()
        },
    }


def _write_pictures(
    measurements: Mapping[str, Measurement], folder: Path, on_progress: OnProgress
) -> dict[tuple[str, str], list[Picture]]:
    todo = [
        (title, column) for title, measured in measurements.items() for column in measured.report["heads"]
    ]
    titles = file_names(list(measurements))
    columns = file_names(list(dict.fromkeys(column for _, column in todo)))
    pictures: dict[tuple[str, str], list[Picture]] = {}
    for done, (title, column) in enumerate(todo, start=1):
        head = measurements[title].report["heads"][column]
        if head["support"]:
            ending = f"{titles[title]}-{columns[column]}"
            drawn = [
                (
                    f"confusion-{ending}{kind and '-'}{kind}",
                    png,
                    f"Confusion matrix of {column}, true by predicted class",
                )
                for kind, png in draw_confusions(title, column, head).items()
            ]
            reliability = draw_reliability(title, column, head)
            drawn.append((f"reliability-{ending}", reliability, f"Accuracy of {column} over its confidence"))
            for name, png, _ in drawn:
                write_whole(png, folder / f"{name}.png")
            pictures[title, column] = [(png, words) for _, png, words in drawn]
        on_progress(done, len(todo))
    for title, measured in measurements.items():
        if any(head["support"] for head in measured.report["heads"].values()):
            png = draw_coverage(title, measured.report)
            write_whole(png, folder / f"coverage-{titles[title]}.png")
            pictures[title, OF_ALL_HEADS] = [(png, "Accuracy of each head over the share that it answers")]
    return pictures
