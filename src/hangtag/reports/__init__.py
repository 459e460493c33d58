"""Reports for people: figures in one style, and a self-contained HTML page."""
