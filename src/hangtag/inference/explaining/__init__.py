"""Heat maps of predictions from a bundle, for every network that hangtag can run."""
