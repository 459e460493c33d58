"""A client for the service of `hangtag serve`."""
