"""Labels that a model proposes for photos of one's own."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import track

from hangtag.cli.custom_questions import Candidates
from hangtag.datasets.folder import custom_photos
from hangtag.domain.prediction import Prediction
from hangtag.inference.model import load_model

TOP_K: Final = 5


def propose_labels(folder: Path, names: Sequence[str], model_name: str) -> Candidates:
    """Label photos of a custom set with a model; one that cannot be labelled has no entry."""
    model = load_model(model_name)
    photos = custom_photos(folder)
    console = Console(stderr=True)
    answers = chain.from_iterable(
        batch.rows(TOP_K) for batch in model.iter_predict(photos.folder / name for name in names)
    )
    shown = track(answers, "Labelling", len(names), console=console, disable=not console.is_terminal)
    return {
        name: answer.candidates
        for name, answer in zip(names, shown, strict=True)
        if isinstance(answer, Prediction)
    }
