"""Pages of retention, by what they are about."""
