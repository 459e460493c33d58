"""hangtag looks at product photos and writes the label that a shop needs.

>>> from hangtag import load_model
>>> load_model().predict(["shirt.jpg"])
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hangtag.domain.flags import Flag
    from hangtag.domain.prediction import Failure, Label, Outcome, Prediction
    from hangtag.inference.model import Model, load_model

__version__ = "0.2.0"
__all__ = ["Failure", "Flag", "Label", "Model", "Outcome", "Prediction", "load_model"]

_HOMES = {
    "Failure": "hangtag.domain.prediction",
    "Flag": "hangtag.domain.flags",
    "Label": "hangtag.domain.prediction",
    "Outcome": "hangtag.domain.prediction",
    "Prediction": "hangtag.domain.prediction",
    "Model": "hangtag.inference.model",
    "load_model": "hangtag.inference.model",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for, so that `hangtag --help` stays instant."""
    if name not in _HOMES:
        raise AttributeError(f"module 'hangtag' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - the whole point is to import late

    return getattr(import_module(_HOMES[name]), name)
