"""Labelling on many machines: workers predict photos, and the driver writes the rows."""
