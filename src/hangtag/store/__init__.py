"""The store: batches of products, their photos and labels, and all decisions."""
