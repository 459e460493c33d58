"""What `hangtag predict` does once its options are understood."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from hangtag.cli.console import open_console
from hangtag.domain.durable import replacing
from hangtag.domain.errors import UsageError
from hangtag.inference.model import Model, load_model
from hangtag.labelling.inputs.photo import PhotoInput
from hangtag.labelling.outputs import Output, open_table
from hangtag.labelling.plan import Plan, Start
from hangtag.labelling.progress_lines import ProgressLines
from hangtag.labelling.run import Labeller, OnProgress
from hangtag.labelling.summary import Summary
from hangtag.labelling.terminal import TerminalTable

if TYPE_CHECKING:
    from hangtag.labelling.job import Job


def load_models(
    names: Sequence[str], precision: Literal["auto", "fp32", "bf16", "int8"], threads: int | None
) -> dict[str, Model]:
    """Load the models, by the name on their card, or as they were called where that would be ambiguous."""
    if len(set(names)) < len(names):
        raise UsageError("a model is named twice", where="--model")
    loaded = [load_model(name, precision=precision, threads=threads) for name in names]
    titles = [model.card.name for model in loaded]
    return dict(zip(titles if len(set(titles)) == len(titles) else names, loaded, strict=True))


def label_once(labeller: Labeller, walk: PhotoInput, output: Output | None, messages: Console) -> Summary:
    """Label photos into a table on the screen, or on standard output, which cannot be gone on with."""
    with open_progress(walk, messages, 0) as on_progress:
        if output is not None:
            with open_table(output, labeller.layout) as writer:
                return labeller.label(walk, writer, on_progress)
        table = TerminalTable(open_console(), labeller.layout)
        summary = labeller.label(walk, table, on_progress)
    table.finish()
    return summary


def label_in_job(labeller: Labeller, walk: PhotoInput, plan: Plan, messages: Console) -> Summary:
    """Label photos into a table that can be gone on with, and say so when the run ends before it is complete."""
    from hangtag.labelling.job import open_job

    job: Job | None = None
    try:
        with open_job(plan) as job, open_progress(walk, messages, job.photos_before) as on_progress:
            summary = labeller.go_on(walk, job, on_progress)
    except BaseException:
        if job is not None and job.photos:
            messages.print(
                f"{job.photos:,} photos are finished: the same command with --resume goes on from there"
            )
        raise
    if summary.failed:
        messages.print("--retry-failed labels again those that failed")
    return summary


def choose_start(output: Output | None, options: dict[str, bool]) -> Start:
    """Return what is to happen to an earlier job for this output, from the options and whether each is given.

    Raises `UsageError` for options that contradict each other, or an output that is no job.
    """
    given = [option for option, is_given in options.items() if is_given]
    if given and (output is None or output.is_standard_output):
        raise UsageError("this needs an --output that is a file or a folder", where=given[0])
    if "--restart" in given and len(given) > 1:
        raise UsageError(f"{given[0]} keeps what --restart drops", fix="Choose one of them.")
    starts = {"--restart": Start.RESTART, "--retry-failed": Start.RETRY, "--resume": Start.RESUME}
    return next((start for option, start in starts.items() if option in given), Start.NEW)


def write_summary(summary: Summary, path: Path) -> None:
    """Write the counts of a summary as JSON, whole or not at all."""
    with replacing(path) as temporary:
        text = json.dumps(summary.to_json(), indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def open_progress(
    walk: PhotoInput, messages: Console, finished: int
) -> contextlib.AbstractContextManager[OnProgress]:
    """Show a bar where a person can see it; its library takes longer to import than a photo to label."""
    if not messages.is_terminal:
        return contextlib.nullcontext(ProgressLines(messages, finished))
    from hangtag.labelling.progress import show_progress

    return show_progress(messages, walk.count, finished)
