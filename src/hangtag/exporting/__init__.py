"""Into the shop: labels as templates, taxonomies and words of the systems that take them, checked before they leave."""
