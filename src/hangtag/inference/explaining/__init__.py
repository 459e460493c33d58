"""Heat maps of predictions, from the bundle alone, for every network that hangtag can run."""
