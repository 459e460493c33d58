"""From photos on disk to a table of labels, one row per photo, in flat memory."""
