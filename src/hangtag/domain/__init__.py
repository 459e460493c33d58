"""The words of hangtag: plain Python, no third-party import."""
