"""Inference: from pixels to labels, with the engine that runs a bundle."""
