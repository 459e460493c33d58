"""The service: the HTTP API and the page, in one process that starts with `hangtag serve`."""
