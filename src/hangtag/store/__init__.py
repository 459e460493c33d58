"""The store: batches of products, their photos and labels, and every decision that a person took."""
