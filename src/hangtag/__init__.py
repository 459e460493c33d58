"""hangtag looks at product photos and writes the label that a shop needs.

>>> import hangtag
>>> predictions = hangtag.predict("photos/tshirt.png")
>>> predictions[0]["articleType"].value
'Tshirts'

`load_model` loads a model once for many photos. `read_catalogue`, `clean`, `check`, `split`, `count` and `describe`
work on a catalogue. `train` and `evaluate` train and measure models, and `adapt` adapts one to a shop. `export` writes
labels for shop systems. Every error that a caller can cause is a `HangtagError` that says what is wrong, where, and how
to fix it.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hangtag.domain.errors import (
        BundleError,
        CatalogueError,
        HangtagError,
        PhotoError,
        RecipeError,
        ServiceError,
        TrainingError,
        UsageError,
    )
    from hangtag.domain.prediction import Failure, Flag, Label, Outcome, Prediction
    from hangtag.domain.reasons import Reason
    from hangtag.exporting.run import ExportResult
    from hangtag.inference.model import Model, load_model
    from hangtag.inference.predictions import Predictions
    from hangtag.pipelines.adapt import AdaptResult, adapt
    from hangtag.pipelines.catalogue import (
        CatalogueTable,
        check,
        clean,
        count,
        describe,
        read_catalogue,
        split,
    )
    from hangtag.pipelines.evaluate import Evaluation, evaluate
    from hangtag.pipelines.export import export
    from hangtag.pipelines.predict import predict
    from hangtag.pipelines.train import train
    from hangtag.pipelines.train_bundle import TrainResult

__version__ = "0.2.0"
__all__ = [
    "AdaptResult",
    "BundleError",
    "CatalogueError",
    "CatalogueTable",
    "Evaluation",
    "ExportResult",
    "Failure",
    "Flag",
    "HangtagError",
    "Label",
    "Model",
    "Outcome",
    "PhotoError",
    "Prediction",
    "Predictions",
    "Reason",
    "RecipeError",
    "ServiceError",
    "TrainResult",
    "TrainingError",
    "UsageError",
    "adapt",
    "check",
    "clean",
    "count",
    "describe",
    "evaluate",
    "export",
    "load_model",
    "predict",
    "read_catalogue",
    "split",
    "train",
]

_NAMES_BY_MODULE: Final = {
    "domain.errors": (
        "BundleError",
        "CatalogueError",
        "HangtagError",
        "PhotoError",
        "RecipeError",
        "ServiceError",
        "TrainingError",
        "UsageError",
    ),
    "domain.prediction": ("Failure", "Flag", "Label", "Outcome", "Prediction"),
    "domain.reasons": ("Reason",),
    "inference.model": ("Model", "load_model"),
    "inference.predictions": ("Predictions",),
    "pipelines.adapt": ("AdaptResult", "adapt"),
    "pipelines.catalogue": (
        "CatalogueTable",
        "check",
        "clean",
        "count",
        "describe",
        "read_catalogue",
        "split",
    ),
    "exporting.run": ("ExportResult",),
    "pipelines.evaluate": ("Evaluation", "evaluate"),
    "pipelines.export": ("export",),
    "pipelines.predict": ("predict",),
    "pipelines.train": ("train",),
    "pipelines.train_bundle": ("TrainResult",),
}
_MODULES: Final = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that `hangtag --help` stays instant."""
    if name not in _MODULES:
        raise AttributeError(f"module 'hangtag' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - the whole point is to import late

    found: object = getattr(import_module(f"hangtag.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names."""
    return [*__all__, "__version__"]
