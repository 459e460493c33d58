"""Adapting: from a bundle and a shop's labels to a bundle with heads for this shop."""
