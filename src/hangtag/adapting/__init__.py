"""Adapting: a bundle and a shop's labels go in, a bundle whose heads know the shop comes out."""
