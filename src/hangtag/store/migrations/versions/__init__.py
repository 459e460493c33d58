"""One module per migration, in numerical order."""
