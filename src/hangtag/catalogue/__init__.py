"""The catalogue stage: clean a messy catalogue, check it, count it, split it."""
