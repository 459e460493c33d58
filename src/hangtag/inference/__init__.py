"""From pixels to labels: the engine that runs a bundle, and what its numbers mean."""
