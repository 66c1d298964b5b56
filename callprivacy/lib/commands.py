"""What our own commands have in common."""

from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, OperationalError

# By SQLSTATE: what PostgreSQL says though it answers, and what is to be done.
_SAID: Final = {
    "55P03": "Something else holds a table that this needs: run it again.",
    "40P01": "Something else held what this needs: run it again.",
    "57014": "It was ended, since it took longer than the database lets anything take: run it again.",
    "53100": "The database's disk is full: make room there and run it again.",
    "53300": "The database takes no more connections: see that max_connections is enough, and run it again.",
    "42501": "The database's role may not do this: see that the right role's address is given (README, Databases).",
    "42P01": "A table is missing: run make release with this version of the program.",
    "42703": "A column is missing: run make release with this version of the program.",
}


class OwnCommand(BaseCommand):
    """
    Begins with its deed and looks over no pages first, which would take longer than most deeds, and by which a page
    that is wrong would keep a dump from being put back. `manage.py check` looks, and so do a release and a deployment.

    A database that does not answer, or cannot do it now, is one sentence and exit status 2; `--traceback` shows all.
    """

    requires_system_checks = ()

    def execute(self, *args: Any, **options: Any) -> str | None:
        """
        Do the deed.

        :raises CommandError: a database did not let it, for a reason that an operator can do something about.
        """
        try:
            return super().execute(*args, **options)
        except DatabaseError as error:
            if not is_outside(error):
                raise
            raise CommandError(trouble(error), returncode=2) from error
        except InterfaceError as error:
            raise CommandError(trouble(error), returncode=2) from error

    def asks(self, question: str, *, word: str) -> None:
        """
        Go on only once a person has written a word.

        :raises CommandError: it was another one, or nobody is there to write it.
        """
        try:
            answer = input(f"{question} Write {word} to go on: ")
        except EOFError:
            raise CommandError(
                f"{question} Nobody is there to be asked, and nothing was changed. If it is meant: --yes.",
                returncode=2,
            ) from None
        if answer.strip() != word:
            raise CommandError("Nothing was changed.", returncode=2)


def is_outside(error: DatabaseError) -> bool:
    """Whether an operator can do something about it: it is no fault of a statement."""
    return isinstance(error, OperationalError) or _state(error) in _SAID


def trouble(error: DatabaseError | InterfaceError) -> str:
    """Say in a sentence what a database refused, and what to do."""
    state = _state(error)
    lines = str(error).strip().splitlines()
    said = lines[0].strip().rstrip(".") if lines else type(error).__name__
    if state in _SAID:
        return f"{_SAID[state]} It said: {said}."
    if isinstance(error, OperationalError | InterfaceError):
        return f"A database does not answer: {said}."
    return f"A database refused: {said}."


def _state(error: Exception) -> str:
    """The SQLSTATE of the driver's error that was met; empty where none was given, as by a line that fell."""
    return getattr(error.__cause__, "sqlstate", None) or getattr(error, "sqlstate", None) or ""
