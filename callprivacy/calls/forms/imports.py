"""What people say about a file of calls: whose it is, which column is what, which zone its times are in."""

from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.db.models import QuerySet

from callprivacy.calls.forms.fields import IF_KEPT
from callprivacy.calls.models import Connection
from callprivacy.calls.providers import FORMATS as PRESETS
from callprivacy.calls.providers.tabular import ATTRIBUTION, FIELDS, REQUIRED
from callprivacy.calls.services.imports import FORMATS, Layout
from callprivacy.lib import zones

_USUAL_ZONES: Final = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
    "America/Toronto",
    "America/Vancouver",
    "Europe/London",
    "Europe/Berlin",
    "UTC",
)
_SLASHES: Final = (
    ("", "There are none"),
    ("month first", "Month first, as in the United States"),
    ("day first", "Day first"),
)


def _zones(own: str) -> list[tuple[str, Any]]:
    """The client's zone first, the usual ones, then all."""
    usual = list(dict.fromkeys((own, *_USUAL_ZONES)))
    others = sorted(zone for zone in zones.known() - set(usual) if "/" in zone)
    return [
        ("Usual", [(zone, zone.replace("_", " ")) for zone in usual]),
        ("All", [(zone, zone.replace("_", " ")) for zone in others]),
    ]


class UploadForm(forms.Form):
    """A file, what kind it is and where it comes from."""

    file = forms.FileField(
        label="File",
        help_text="CSV in UTF-8 with one line of column names, or JSON as an array of calls; plain or gzip, up to "
        "1 GB. It is encrypted as it arrives and deleted once it is read.",
        error_messages={
            "required": "Choose a file of at most 1 GB.",
            "empty": "The file is empty. Export it again.",
        },
    )
    format = forms.ChoiceField(
        label="Format", required=False, choices=[("", "Recognize it by the columns"), *FORMATS.items()]
    )
    connection = forms.ModelChoiceField(
        label="Connection",
        queryset=Connection.objects.none(),
        required=False,
        empty_label="None",
        help_text="Its columns and zone are remembered for the next file.",
    )
    time_zone = forms.ChoiceField(
        label="Zone of its times",
        help_text="Times that carry no offset are read in this zone. CallRail's are in the company's zone.",
    )

    def __init__(
        self,
        *args: Any,
        connections: QuerySet[Connection],
        own_zone: str,
        is_too_large: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.is_too_large = is_too_large
        connection = self.fields["connection"]
        if isinstance(connection, forms.ModelChoiceField):
            connection.queryset = connections
        self.fields["time_zone"] = forms.ChoiceField(
            label=self.fields["time_zone"].label,
            help_text=self.fields["time_zone"].help_text,
            choices=_zones(own_zone),
            initial=own_zone,
        )

    def clean(self) -> None:
        if self.is_too_large:
            self.add_error(
                "file", "The file is larger than 1 GB. Export a shorter time, or compress it with gzip."
            )


def _usual_slashes(file_format: str) -> str:
    preset = PRESETS.get(file_format)
    return (preset.slashes if preset else None) or ""


class LayoutForm(forms.Form):
    """Which column is what. A column that is chosen for nothing is never read."""

    def __init__(
        self, *args: Any, header: Sequence[str], layout: Layout, own_zone: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._format, self._is_headed = layout.format, layout.is_headed
        self.fields["is_headed"] = forms.ChoiceField(
            label="Is the first line a header?",
            choices=[("yes", "Yes, it names the columns"), ("no", "No, it is a call")],
            required=False,
            initial="no" if layout.is_headed is False else "yes",
        )
        self.fields["time_zone"] = forms.ChoiceField(
            label="Zone of its times", choices=_zones(own_zone), initial=layout.time_zone
        )
        self.fields["slashes"] = forms.ChoiceField(
            label="Dates written with slashes",
            choices=_SLASHES,
            required=False,
            initial=layout.slashes or _usual_slashes(layout.format),
        )
        names = list(dict.fromkeys(name for name in header if name))
        chosen = {column.strip().casefold() for column in layout.columns.values()}
        initial = {name.casefold(): name for name in names if name.casefold() in chosen}
        for field, title in FIELDS.items():
            self.fields[f"column_{field}"] = forms.ChoiceField(
                label=title,
                required=field in REQUIRED,
                choices=[("", "Not in this file"), *((name, name) for name in names)],
                initial=initial.get(layout.columns.get(field, "").strip().casefold(), ""),
                help_text=IF_KEPT if field in ATTRIBUTION else "",
                error_messages={"required": "Without this column no row can be read."},
            )

    def clean(self) -> dict[str, Any]:
        """One column serves one field."""
        cleaned: dict[str, Any] = super().clean() or {}
        seen: dict[str, str] = {}
        for field, title in FIELDS.items():
            column = cleaned.get(f"column_{field}")
            if column and column in seen:
                self.add_error(f"column_{field}", f"This column is chosen for “{seen[column]}” already.")
            elif column:
                seen[column] = title
        return cleaned

    def layout(self) -> Layout:
        columns = {
            field: self.cleaned_data[f"column_{field}"]
            for field in FIELDS
            if self.cleaned_data[f"column_{field}"]
        }
        return Layout(
            self._format,
            columns,
            self.cleaned_data["time_zone"],
            self.cleaned_data["slashes"],
            {"yes": True, "no": False}.get(self.cleaned_data["is_headed"], self._is_headed),
        )
