"""Pages about clients and people; each translates and makes one call."""
