"""An index that is built while others write, in a migration that may be cut off and run again."""

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently


class AddIndexBeside(AddIndexConcurrently):
    """
    Django's own, repeatable: building beside the work is no transaction, and what a kill leaves has the index's name.

    What is left is removed first, and what is whole is kept. It waits for every transaction that is open, which a dump
    makes long; that stops nobody else, so the limit of two seconds for a lock does not hold for it.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Build the index, unless it is there whole."""
        name = schema_editor.quote_name(self.index.name)
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('lock_timeout')")
            (before,) = cursor.fetchone()
            cursor.execute("SET lock_timeout = 0")
            try:
                cursor.execute(
                    "SELECT indisvalid AND indisready FROM pg_index WHERE indexrelid = to_regclass(%s)",
                    [name],
                )
                found = cursor.fetchone()
                if found is not None and found[0]:
                    return
                if found is not None:
                    cursor.execute(f"DROP INDEX CONCURRENTLY {name}")
                super().database_forwards(app_label, schema_editor, from_state, to_state)
            finally:
                cursor.execute("SELECT set_config('lock_timeout', %s, false)", [before])
