"""Labelling: from photos and a model to `Predictions` or a table."""

import contextlib
import json
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol

from hangtag.bundle.file import DEFAULT_NAME, find_bundle
from hangtag.domain.durable import replacing
from hangtag.domain.errors import UsageError
from hangtag.inference.model import Model, load_model
from hangtag.inference.predictions import Predictions
from hangtag.inference.runtime import count_usable_cpus
from hangtag.labelling.cluster.pool import ClusterSettings
from hangtag.labelling.inputs import InputSettings, PhotoInput, open_inputs
from hangtag.labelling.inputs.folder import find_start
from hangtag.labelling.inputs.opening import STANDARD_INPUT
from hangtag.labelling.outputs import Layout, Output, open_table
from hangtag.labelling.plan import ROWS_A_PART, Fingerprint, Plan, Start
from hangtag.labelling.run import Labeller, OnProgress, Pipeline, Summary, ignore_progress
from hangtag.pipelines.arguments import Destination, check_destinations, checked, refuse_among_photos
from hangtag.tables.writing import TableWriter

if TYPE_CHECKING:
    from hangtag.inference.photos import GivenPhotos
    from hangtag.labelling.inputs.photo import InputPhoto

_PICTURE: Final = "photo.jpg.png"
"""An example of a heat map's file name."""

Precision = Literal["auto", "fp32", "bf16", "int8"]


@checked
def predict(
    photos: "GivenPhotos",
    model: "Model | str | PathLike[str]" = DEFAULT_NAME,
    *,
    precision: Precision = "auto",
    threads: int | None = None,
) -> Predictions:
    """Label photos with a model, given by name, by path or already loaded.

    `photos` may be anything that `hangtag predict` takes: paths of photos, folders, patterns, archives and tables, and
    http or object store addresses; or photos in memory, as for `Model.predict`. A photo that cannot be read keeps its
    place, with the reason.

    Raises `UsageError` for anything else, `BundleError` for a model that cannot be loaded.

    >>> import hangtag
    >>> predictions = hangtag.predict("photos")
    >>> len(predictions), predictions.columns[0]
    (8, 'masterCategory')
    >>> predictions[0]["masterCategory"].value
    'Accessories'
    """
    loaded = _load(model, precision, threads)
    given = [photos] if isinstance(photos, str | PathLike) else photos
    if isinstance(given, Sequence) and given and all(isinstance(part, str | PathLike) for part in given):
        with open_inputs([str(path) for path in given], InputSettings()) as walk:
            return loaded.predict(walk)
    return loaded.predict(photos)


def _load(model: object, precision: Precision, threads: int | None) -> Model:
    if isinstance(model, Model):
        return model
    if not isinstance(model, str | PathLike):
        raise UsageError(
            f"a Model, a name or a path is expected, not {type(model).__name__}", where="`model`"
        )
    return load_model(model if isinstance(model, str) else Path(model), precision=precision, threads=threads)


class View(Protocol):
    """Shows progress to a person while a table is written."""

    def say(self, text: str) -> None:
        """Take a line."""
        ...

    def open_table(self, layout: Layout) -> TableWriter:
        """Return the writer that shows the rows if no table is written."""
        ...

    def open_progress(self, walk: PhotoInput, finished: int) -> AbstractContextManager[OnProgress]:
        """Return a function to call with the number of photos just done; `finished` were done before."""
        ...


class _NoView:
    """Shows nothing."""

    def say(self, text: str) -> None: ...

    def open_table(self, layout: Layout) -> TableWriter:  # noqa: ARG002 - the protocol's
        raise UsageError("the table needs an output", where="output")

    def open_progress(self, walk: PhotoInput, finished: int) -> AbstractContextManager[OnProgress]:  # noqa: ARG002
        return contextlib.nullcontext(ignore_progress)


NO_VIEW: Final[View] = _NoView()


@dataclass(frozen=True, slots=True)
class TableOptions:
    """The options of `hangtag predict`: which photos, which models, which table.

    Without an `output`, the view shows the rows. With a `cluster`, its workers label.
    """

    inputs: Sequence[str]
    models: Sequence[str] = (DEFAULT_NAME,)
    output: Output | None = None
    start: Start = Start.NEW
    rows_per_part: int = ROWS_A_PART
    top_k: int = 1
    precision: Precision = "auto"
    threads: int | None = None
    settings: InputSettings = field(default_factory=InputSettings)
    cluster: ClusterSettings | None = None
    summary_file: Path | None = None
    explain: Path | None = None

    @property
    def is_job(self) -> bool:
        """Whether the table is a file or a folder, which an interrupted run can resume."""
        return self.output is not None and not self.output.is_standard_output


@dataclass(frozen=True, slots=True)
class TableResult:
    """The result: what was labelled, which inputs could not be read to their end, and how tables were read."""

    summary: Summary
    damage: Sequence[str]
    notes: Sequence[str] = ()


def predict_table(options: TableOptions, view: View = NO_VIEW) -> TableResult:
    """Label photos into a table, and write the other outputs of the options.

    Raises `UsageError` if something cannot be written or would replace an input, before any photo is labelled.
    """
    _check_outputs(options)
    with open_inputs(options.inputs, options.settings) as walk:
        models = load_models(options.models, options.precision, options.threads)
        pipeline = None if options.cluster is None else label_on_ray(options.cluster, options, models)
        threads = options.threads or count_usable_cpus()
        labeller = Labeller(models, options.top_k, threads, walk.columns, pipeline)
        if options.is_job:
            fingerprint = Fingerprint.of(models, labeller.layout)
            summary = _label_in_job(labeller, walk, fingerprint, options, view)
        else:
            summary = _label_once(labeller, walk, options, view)
        result = TableResult(summary, tuple(walk.damage), tuple(walk.notes))
        if options.summary_file is not None:
            _write_summary(summary, options.summary_file)
        if options.explain is not None:
            _draw_pictures(models, walk, options.explain, view)
    return result


def _check_outputs(options: TableOptions) -> None:
    """Raise `UsageError` if something cannot be written, or would replace an input, a model or another output.

    Creates the folder of heat maps.
    """
    destinations = []
    if options.output is not None and options.is_job:
        path, is_folder = options.output.path, options.output.is_folder
        destinations.append(Destination("output", path, is_folder=is_folder))
    if options.summary_file is not None:
        destinations.append(Destination("summary_file", options.summary_file))
    if options.explain is not None:
        destinations.append(Destination("explain", options.explain, is_folder=True, has_pictures=True))
    read = [Path(text) for text in options.inputs if text != STANDARD_INPUT]
    check_destinations(destinations, [*read, *map(find_bundle, options.models)])
    if options.explain is not None:
        searched = [
            start for text in options.inputs if (start := find_start(text, options.explain, _PICTURE))
        ]
        refuse_among_photos("explain", options.explain, searched)
    if options.explain is not None:
        _check_pictures(options.explain, options)


def _check_pictures(folder: Path, options: TableOptions) -> None:
    if len(options.models) > 1:
        raise UsageError("heat maps can show one model only", where="`explain`", fix="Choose one `model`.")
    if STANDARD_INPUT in options.inputs:
        raise UsageError("names from standard input can be read only once", where="`explain`")
    from hangtag.labelling.pictures import make_folder

    make_folder(folder)


def load_models(names: Sequence[str], precision: Precision, threads: int | None) -> dict[str, Model]:
    """Load models, by the names on their cards, or as given if these are ambiguous.

    Raises `UsageError` if one is given twice.
    """
    if len(set(names)) < len(names):
        raise UsageError("a model is given twice", where="`model`")
    loaded = [load_model(name, precision=precision, threads=threads) for name in names]
    titles = [model.card.name for model in loaded]
    return dict(zip(titles if len(set(titles)) == len(titles) else names, loaded, strict=True))


def _label_once(labeller: Labeller, walk: PhotoInput, options: TableOptions, view: View) -> Summary:
    """Label photos to the view or to standard output, neither of which can be resumed."""
    with view.open_progress(walk, 0) as on_progress:
        if options.output is not None:
            with open_table(options.output, labeller.layout) as writer:
                return labeller.label(walk, writer, on_progress)
        table = view.open_table(labeller.layout)
        summary = labeller.label(walk, table, on_progress)
    table.finish()
    return summary


def _label_in_job(
    labeller: Labeller, walk: PhotoInput, fingerprint: Fingerprint, options: TableOptions, view: View
) -> Summary:
    """Label photos into a table that can be resumed, and say so if the run ends before it is complete."""
    from hangtag.labelling.job import Job, open_job

    assert options.output is not None  # noqa: S101 - for the type checker: `is_job`
    plan = Plan(
        options.output, labeller.layout, fingerprint, options.inputs, options.start, options.rows_per_part
    )
    job: Job | None = None
    try:
        with open_job(plan) as job, view.open_progress(walk, job.photos_before) as on_progress:
            summary = labeller.resume(walk, job, on_progress)
    except BaseException:
        if job is not None and job.photos:
            view.say(
                f"{job.photos:,} photos are finished: run the same command with --resume to label the others"
            )
        raise
    if summary.failed:
        view.say("--retry-failed also retries those that failed")
    return summary


def label_on_ray(cluster: ClusterSettings, options: TableOptions, models: Mapping[str, Model]) -> Pipeline:
    """Return a pipeline that connects to a Ray cluster when it is given photos.

    Raises `UsageError` if the extra `ray` is not installed.
    """
    from hangtag.labelling.cluster.pool import WorkerPool
    from hangtag.labelling.cluster.with_ray import RayCluster, import_ray
    from hangtag.labelling.cluster.worker import Identity, ModelFiles, WorkPlan

    import_ray()
    files = {
        name: ModelFiles.of(find_bundle(called), model)
        for called, (name, model) in zip(options.models, models.items(), strict=True)
    }
    plan = WorkPlan(files, options.settings)

    def label(photos: "Iterable[InputPhoto]") -> Generator[tuple[Predictions, ...]]:
        # Ray prints messages, such as about a lost worker, and standard output may be the table.
        with contextlib.redirect_stdout(sys.stderr), RayCluster(cluster, plan) as connected:
            yield from WorkerPool(connected, Identity.of(models), cluster).iter_labelled(photos)

    return label


def _write_summary(summary: Summary, path: Path) -> None:
    """Write the counts of a summary as JSON, whole or not at all."""
    with replacing(path) as temporary:
        text = json.dumps(summary.to_json(), indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def _draw_pictures(models: Mapping[str, Model], walk: PhotoInput, folder: Path, view: View) -> None:
    """Write a heat map of each photo to the folder."""
    from hangtag.inference.explaining.explainer import Explainer
    from hangtag.labelling.pictures import write_pictures

    (model,) = models.values()
    with view.open_progress(walk, 0) as on_progress:
        write_pictures(walk, Explainer(model), folder, on_progress)
