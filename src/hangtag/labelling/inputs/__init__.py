"""Which photos to label: whatever a person can name, walked as it is labelled and never listed whole."""

from hangtag.labelling.inputs.folder import PhotoWalk, count_photos
from hangtag.labelling.inputs.photo import PhotoFile

__all__ = ["PhotoFile", "PhotoWalk", "count_photos"]
