"""What `hangtag predict --explain` does, once the photos are labelled."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from hangtag.domain.errors import UsageError
from hangtag.inference.explaining.explainer import Explainer
from hangtag.inference.model import Model
from hangtag.labelling.inputs.opening import STANDARD_INPUT
from hangtag.labelling.inputs.photo import PhotoInput
from hangtag.labelling.pictures import make_folder, write_pictures


def check_pictures(folder: Path, models: int, inputs: Sequence[str]) -> None:
    """Raise `UsageError` when there can be no pictures, before any photo is labelled; make their folder."""
    if models > 1:
        raise UsageError("pictures show what one model looked at", where="--explain", fix="Name one --model.")
    if STANDARD_INPUT in inputs:
        raise UsageError("names from standard input can be read only once", where="--explain")
    make_folder(folder)


def draw_pictures(models: Mapping[str, Model], walk: PhotoInput, folder: Path, messages: Console) -> None:
    """Write a picture of each photo into the folder, with a bar where a person can see it."""
    from hangtag.cli.predict_run import open_progress

    (model,) = models.values()
    with open_progress(walk, messages, 0) as on_progress:
        write_pictures(walk, Explainer(model), folder, on_progress)
