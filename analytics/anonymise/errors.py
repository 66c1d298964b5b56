"""What can be wrong with a table or a demand; each message says what to do."""


class AnonymiseError(ValueError):
    """The table, the description of it or a demand on it is not usable as it is."""


class SpecError(AnonymiseError):
    """The description of the table is wrong."""


class HierarchyError(AnonymiseError):
    """A hierarchy is not a tree, or does not know a value."""


class OutOfReachError(AnonymiseError):
    """No generalisation of this table meets the demands within the limit on suppression."""

    def __init__(self, said: str = "") -> None:
        """Take what to say instead of the usual."""
        super().__init__(
            said
            or "The rows do not meet the demands even when they are all released alike. Ask for less, or let more rows "
            "be suppressed."
        )
