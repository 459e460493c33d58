"""Reading catalogues in all their formats."""
