"""The history of the database: what brings older tables up to date."""
