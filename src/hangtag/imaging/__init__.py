"""From a photo's bytes to a model's pixels: the one implementation, without torch, for every stage."""
