"""From a split table and photos to a model bundle. Needs the extra `train`."""
