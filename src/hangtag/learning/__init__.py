"""Learning: from a store's checks to shop models and updated labels."""
