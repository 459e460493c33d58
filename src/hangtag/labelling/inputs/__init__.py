"""The inputs of labelling: files, folders, archives, tables and addresses, streamed and never listed as a whole."""

from hangtag.labelling.inputs.folder import PhotoWalk
from hangtag.labelling.inputs.opening import Inputs, open_inputs
from hangtag.labelling.inputs.photo import InputPhoto, InputSettings, PhotoFile, PhotoInput

__all__ = [
    "InputPhoto",
    "InputSettings",
    "Inputs",
    "PhotoFile",
    "PhotoInput",
    "PhotoWalk",
    "open_inputs",
]
