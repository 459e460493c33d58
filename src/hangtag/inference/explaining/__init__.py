"""What a decision looked at: heat maps from the bundle alone, for every network that hangtag can run."""
