"""Exporting labels to shop systems: templates, taxonomies, words, and checks against the destination's rules."""
