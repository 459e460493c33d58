"""Labelling on many machines: workers turn photos into answers, and the job stays where it was started."""
