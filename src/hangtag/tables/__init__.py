"""Every table that is read or written: its dialects, its values, and which photo a row means."""
