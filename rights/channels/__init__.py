"""How a person gets what is held: files of a package."""
