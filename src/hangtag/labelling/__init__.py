"""Labelling: from photos to a table of labels, one row per photo, in bounded memory."""
