"""How results are shown to people: figures in one quiet style, and one self-contained HTML page."""
