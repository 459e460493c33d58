"""Which photos to label: whatever a person can name, walked as it is labelled and never listed whole."""

from hangtag.labelling.inputs.folder import PhotoWalk
from hangtag.labelling.inputs.opening import Inputs, open_inputs
from hangtag.labelling.inputs.photo import InputPhoto, PhotoFile, PhotoInput
from hangtag.labelling.inputs.settings import InputSettings

__all__ = [
    "InputPhoto",
    "InputSettings",
    "Inputs",
    "PhotoFile",
    "PhotoInput",
    "PhotoWalk",
    "open_inputs",
]
