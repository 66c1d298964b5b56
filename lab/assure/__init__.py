"""Suites that try the promises: `make assure`, `make attack`, `make load` and `make soak` (docs/assurance.md)."""
