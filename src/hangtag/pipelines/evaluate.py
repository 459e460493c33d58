"""Evaluation: from models and labelled photos to figures, a report and updated cards."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hangtag.bundle.file import find_bundle, is_shipped, replace_card
from hangtag.datasets.interface import list_photo_folders
from hangtag.datasets.opening import list_table_files
from hangtag.datasets.splits import VALIDATION
from hangtag.domain.errors import UsageError
from hangtag.domain.extras import require_extra
from hangtag.evaluation.comparison import Duel, compare_models, title_models
from hangtag.evaluation.evaluate import Measurement, measure
from hangtag.evaluation.photo_set import CUSTOM, PhotoSet, PhotoSets
from hangtag.evaluation.report import add_to_card
from hangtag.evaluation.seen import Verdict, judge
from hangtag.inference.model import Model, load_model
from hangtag.inference.runtime import count_usable_cpus
from hangtag.pipelines.arguments import (
    SILENT,
    AnyPath,
    Destination,
    Progress,
    check_destinations,
    checked,
    follow,
    refuse_among_photos,
)
from hangtag.tables.tables import write_json

if TYPE_CHECKING:
    from hangtag.bundle.card import Card
    from hangtag.evaluation.heads import Report


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures on a set of photos, by the title of each model.

    `files` are the models' files, in the same order. `written_cards` are the files whose cards now have the figures.
    """

    photo_set: str
    measurements: Mapping[str, Measurement]
    files: Sequence[Path]
    written_cards: Sequence[Path] = ()

    @property
    def reports(self) -> "dict[str, Report]":
        """The figures of each model, as plain values."""
        return {title: found.report for title, found in self.measurements.items()}

    def compare(self) -> Sequence[Duel]:
        """Return the comparison of the models, with the probability that a difference is due to chance."""
        return compare_models(self.measurements)

    def accuracy(self, column: str, title: str | None = None) -> float | None:
        """Return the accuracy in a column, 0 to 1; None if no photo has a label.

        `title` names the model if several were measured. Raises `UsageError` for an unknown title or column.
        """
        title = next(iter(self.measurements)) if title is None else title
        if title not in self.measurements:
            raise UsageError(f"no model {title!r} was measured", fix=f"There are {', '.join(self.reports)}.")
        heads = self.measurements[title].report["heads"]
        if column not in heads:
            raise UsageError(f"{column!r} was not measured", fix=f"Choose one of {', '.join(heads)}.")
        accuracy: float | None = heads[column]["top1_accuracy"]
        return accuracy

    def __repr__(self) -> str:
        """Return the mean accuracy of each model."""
        means = {title: report["mean_top1_accuracy"] for title, report in self.reports.items()}
        shown = (f"{title} {'-' if mean is None else f'{mean:.1%}'}" for title, mean in means.items())
        return f"<Evaluation mean accuracy: {', '.join(shown)}>"


@checked
def evaluate(
    models: "str | Path | Sequence[str | Path]",
    *,
    on: AnyPath = "test",
    catalogue: AnyPath | None = None,
    split_table: AnyPath | None = None,
    report: AnyPath | None = None,
    photos: int = 30,
    seed: int = 42,
    output: AnyPath | None = None,
    write_card: bool = False,
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto",
    threads: int | None = None,
    progress: Progress = SILENT,
) -> Evaluation:
    """Measure one model or several, by name or file, on labelled photos.

    `on` is `test`, `validation` or `train`, which need a `catalogue` and its `split_table`; `custom`, the catalogue's
    custom set; or the path of a labelled folder or table. `report` is a folder for the report: a page, plots and a
    workbook with `photos` test photos chosen by `seed` (extra `report`). `output` is a file for the figures as JSON.
    With `write_card`, the figures are stored in the models' own files.

    Raises `UsageError`, `CatalogueError` or `BundleError`, each with a fix.

    >>> import hangtag
    >>> evaluation = hangtag.evaluate("default", on="catalogue", precision="fp32")
    >>> list(evaluation.reports)
    ['default']
    >>> evaluation.accuracy("masterCategory") > 0.5
    True
    """
    names = _list_models(models)
    inputs = [Path(path) for path in (on, catalogue, split_table) if path is not None]
    files = [find_bundle(name) for name in names]
    _check_outputs(_path(output), _path(report), [*inputs, *files])
    if write_card:
        _refuse_shipped(files)
    threads_used = threads or count_usable_cpus()
    with PhotoSets(_path(catalogue), _path(split_table)) as sets:
        measured_on = sets.open(str(on))
        if report is not None:
            _make_report_folder(Path(report), measured_on)
        loaded = _load_models(names, precision, threads)
        if write_card:
            _check_cards([model.card for model in loaded.values()], measured_on)
        measurements = {
            title: measure(model, measured_on, threads_used, follow(progress, title))
            for title, model in loaded.items()
        }
        if output is not None:
            reports = [found.report for found in measurements.values()]
            write_json(reports[0] if len(reports) == 1 else reports, Path(output))
        written = _write_cards(files, measurements) if write_card else []
        if report is not None:
            from hangtag.evaluation.report_folder import write_report, write_sample

            write_report(measurements, measured_on, Path(report), follow(progress, "drawing"))
            write_sample(loaded, sets.sample(measured_on, photos, seed), seed, Path(report), threads_used)
    return Evaluation(measured_on.name, measurements, files, written)


def _path(path: AnyPath | None) -> Path | None:
    return None if path is None else Path(path)


def _list_models(models: object) -> list[str | Path]:
    """Return the names of models. Raises `UsageError` for other values, and for a model given twice."""
    given = models if isinstance(models, Sequence) and not isinstance(models, str | bytes) else [models]
    for name in given:
        if not isinstance(name, str | Path):
            raise UsageError(f"a model is a name or a path, not {type(name).__name__}", where="models")
    if not given or len(set(given)) < len(given):
        raise UsageError("a model is given twice" if given else "no model is given", where="BUNDLE")
    return list(given)


def _check_outputs(output: Path | None, report: Path | None, inputs: Sequence[Path]) -> None:
    """Raise `UsageError` if the figures or the report cannot be written, or would replace something."""
    destinations = [] if output is None else [Destination("output", output, makes_folder=True)]
    if report is not None:
        require_extra("report", "a report", "matplotlib", "jinja2")
        from hangtag.evaluation.report_folder import REPORT_FILES

        destinations.append(Destination("report", report, is_folder=True, files=REPORT_FILES))
    check_destinations(destinations, [file for path in inputs for file in list_table_files(path)])


def _make_report_folder(folder: Path, photos: PhotoSet) -> None:
    """Raise `UsageError` if the folder cannot be written to, or if its plots would be mistaken for the set's photos."""
    from hangtag.evaluation.report_folder import check_report_folder

    refuse_among_photos("report", folder, list_photo_folders(photos.catalogue))
    check_report_folder(folder)


def _load_models(
    names: Sequence[str | Path], precision: Literal["auto", "fp32", "bf16", "int8"], threads: int | None
) -> dict[str, Model]:
    """Load the models, by their titles in reports."""
    loaded = [load_model(name, precision=precision, threads=threads) for name in names]
    return dict(zip(title_models([model.card for model in loaded]), loaded, strict=True))


def _refuse_shipped(files: Iterable[Path]) -> None:
    """Raise `UsageError` if one of the models came with hangtag: its file must not change."""
    for file in files:
        if is_shipped(file):
            raise UsageError(
                "this model comes with hangtag, and `write_card` would change it",
                where=file,
                fix="Copy the file, and evaluate the copy.",
            )


def _check_cards(cards: "Collection[Card]", photos: PhotoSet) -> None:
    """Raise `UsageError` if the figures on these photos must not be stored in a card."""
    for card in cards:
        seen = judge(card, photos)
        if not _may_be_stored(seen.verdict, photos):
            raise UsageError(
                f"these figures do not belong in a card. {seen.reason}",
                where="`write_card`",
                fix="Leave `write_card` out, and write the figures with `output`.",
            )


def _may_be_stored(verdict: Verdict, photos: PhotoSet) -> bool:
    """Return whether figures may be stored in a card: the model must not have been trained on the photos."""
    if verdict in {Verdict.HELD_OUT, Verdict.KEPT_BACK}:
        return True
    if photos.split_table is not None:
        return verdict is Verdict.TUNED_ON and photos.name == VALIDATION
    return verdict is Verdict.UNKNOWN and photos.name != CUSTOM


def _write_cards(files: Sequence[Path], measurements: Mapping[str, Measurement]) -> list[Path]:
    for file, found in zip(files, measurements.values(), strict=True):
        replace_card(file, add_to_card(found.card, found.report))
    return list(files)
