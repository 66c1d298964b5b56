"""Tasks of consent; the worker finds those named here."""

__all__: list[str] = []
