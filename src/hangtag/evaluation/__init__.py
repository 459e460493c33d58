"""Evaluation: exported bundles, measured on photos that they were not trained on."""
