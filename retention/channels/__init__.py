"""Forms in which what retention did leaves the house."""
