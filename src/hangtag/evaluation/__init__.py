"""Evaluation: measuring exported bundles on photos that they were not trained on."""
