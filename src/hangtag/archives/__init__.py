"""Archives of photos: zips, however their names were written, and tars. Nothing is unpacked to disk."""
