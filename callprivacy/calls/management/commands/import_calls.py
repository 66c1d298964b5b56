"""Read a file of calls into a client's calls, with progress; cut off and begun again, it goes on."""

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from django.core.management.base import CommandError
from django.utils import timezone

from callprivacy.audit.services import lineage
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import CallImport, Connection
from callprivacy.calls.providers import FORMATS as PRESETS
from callprivacy.calls.providers.base import RefusedError, UnparsableError
from callprivacy.calls.providers.tabular import FIELDS, REQUIRED, Table, columns_found
from callprivacy.calls.selectors import imports as selectors
from callprivacy.calls.services import imports
from callprivacy.calls.services.imports import FORMATS, Layout
from callprivacy.lib.commands import OwnCommand
from callprivacy.lib.progress import Progress
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope

BY = Actor.job("import_calls")


def _fields() -> str:
    """Each format with its fields and the columns that it looks for."""
    named = {FORMATS[name]: preset.columns for name, preset in PRESETS.items()}
    lines = [
        f"{title}: " + "; ".join(f"{field} from {' or '.join(names)}" for field, names in columns.items())
        for title, columns in named.items()
    ]
    return ". ".join([*lines, f"{FORMATS['generic']}: {', '.join(FIELDS)}; usual names are recognized"]) + "."


class Command(OwnCommand):
    help = (
        "Import a file of calls, CSV or a JSON array, plain or gzip. Only the allowed columns are read; what is "
        "known is not added twice. A command that was ended goes on where it was when it is given the same file again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.epilog = _fields()
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--client", required=True, metavar="SLUG", help="the client's short name")
        parser.add_argument("--agency", metavar="SLUG", help="where two agencies have such a client")
        parser.add_argument("--format", choices=list(FORMATS), help="recognized by the columns, if left out")
        parser.add_argument("--connection", metavar="NAME", help="the connection that the calls belong to")
        parser.add_argument("--time-zone", metavar="ZONE", help="of times without offset; the client's own")
        parser.add_argument(
            "--columns",
            metavar="JSON",
            help='where the names of the columns do not say it: {"started_at": "Date", "caller": "From"}',
        )
        parser.add_argument("--slashes", choices=["month first", "day first"], default="")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            lineage.require_together()
        except lineage.NotTogetherError as error:
            raise CommandError(str(error)) from None
        client = self._client(options["client"], options["agency"])
        path: Path = options["file"]
        layout = self._layout(path, client, options)
        connection = self._connection(client, options["connection"])
        try:
            row = imports.begin_from_disk(
                client=client,
                connection=connection,
                layout=layout,
                digest=imports.digest_of(path),
                by=BY,
                at=timezone.now(),
            )
        except tenancy.ClientLeftError as error:
            raise CommandError(str(error)) from None
        if row.line:
            self.stdout.write(f"Going on behind line {row.line:,}.")
        with Progress("Importing", out=self.stdout) as progress:
            progress.done = row.rows_done
            imports.run_import(
                agency_id=client.agency_id,
                import_id=row.pk,
                clock=timezone.now,
                source=lambda: self._opened(path),
                on_batch=progress.step,
            )
        self._report(client, row)

    @staticmethod
    def _opened(path: Path) -> BinaryIO:
        return path.open("rb")

    def _client(self, slug: str, agency: str | None) -> Client:
        clients = [client for client, _ in tenancy.clients_chosen(agency or None, slug)]
        if not clients:
            raise CommandError(f"There is no client “{slug}”.")
        if len(clients) > 1:
            raise CommandError(f"Several agencies have a client “{slug}”: add --agency.")
        return clients[0]

    def _layout(self, path: Path, client: Client, options: dict[str, Any]) -> Layout:
        zone = options["time_zone"] or client.time_zone
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, KeyError):
            raise CommandError(
                f"There is no time zone “{zone}”. Write for example America/New_York."
            ) from None
        try:
            with path.open("rb") as file:
                header = Table(file).header
            file_format = options["format"] or imports.recognized(header)
            columns: dict[str, str] = {}
            if options["columns"]:
                columns = json.loads(options["columns"])
            else:
                columns = imports.columns_proposed(header, file_format)
            layout = Layout(file_format, columns, zone, options["slashes"])
            self._describe(header, layout)
            layout.for_reading()
        except OSError as error:
            raise CommandError(f"{path} cannot be opened: {error.strerror}.") from None
        except (UnparsableError, RefusedError) as error:
            raise CommandError(str(error)) from None
        except (ValueError, AttributeError):
            raise CommandError('--columns is no JSON object such as {"caller": "From"}.') from None
        return layout

    def _describe(self, header: Sequence[str], layout: Layout) -> None:
        """
        Say how the file is read, and which columns are not.

        :raises CommandError: a required field has no column.
        """
        preset = PRESETS.get(layout.format)
        columns = dict(layout.columns) or (columns_found(tuple(header), preset) if preset else {})
        missing = [field for field in REQUIRED if not columns.get(field)]
        if missing and preset is None:
            names = ", ".join(header)
            raise CommandError(
                f"No column is known for {' and '.join(missing)}. The file has: {names}. Name the columns:"
                ' --columns \'{"started_at": "...", "caller": "..."}\''
            )
        used = {column.casefold() for column in columns.values()}
        ignored = [name for name in header if name.strip() and name.casefold() not in used]
        self.stdout.write(f"Reading it as {FORMATS[layout.format]}.")
        if ignored:
            self.stdout.write(f"Columns not read: {', '.join(ignored)}.")

    def _connection(self, client: Client, name: str | None) -> Connection | None:
        if name is None:
            return None
        with job_scope(agency_id=client.agency_id):
            connection = selectors.connections_for_files(client).filter(name=name).first()
        if connection is None:
            raise CommandError(f"{client.name} has no connection “{name}”.")
        return connection

    def _report(self, client: Client, row: CallImport) -> None:
        with job_scope(agency_id=client.agency_id):
            row.refresh_from_db()
            refused = list(selectors.refusals_of(row)[:100])
        took = row.finished_at - row.created_at if row.finished_at else None
        self.stdout.write(
            f"{row.rows:,} rows: {row.added:,} added, {row.known:,} known, {row.doubtful:,} possible duplicates, "
            f"{row.too_old:,} too old, {row.erased:,} erased before, {row.refused:,} refused"
            + (f", in {took.total_seconds():,.0f} s." if took else ".")
        )
        if row.first_of_two:
            self.stdout.write(
                f"  {row.first_of_two:,} added of an hour that the clocks of {row.time_zone} show twice, "
                "read as the first"
            )
        for refusal in refused:
            self.stdout.write(f"  line {refusal.line}, {refusal.column}: {refusal.reason}")
        if row.refused > len(refused):
            self.stdout.write(
                f"  and {row.refused - len(refused):,} more; the page of the import has them all."
            )
        if row.state != JobState.DONE:
            raise CommandError(row.failure or "Another process went on with this file, or it was cancelled.")
