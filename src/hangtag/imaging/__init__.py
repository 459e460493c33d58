"""From a photo's bytes to a model's pixels. Written once, without torch, and used by every stage."""
