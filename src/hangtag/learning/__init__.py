"""Learning: a store's checks go in, versions of a model that knows the shop come out, and labels change in place."""
