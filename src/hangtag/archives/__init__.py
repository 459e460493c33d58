"""Archives of photos: tar files, and zips whatever program wrote their names. Nothing is unpacked to disk."""
