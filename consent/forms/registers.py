"""What people say about registers of numbers that they bring."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Any, Final

from django import forms

from callprivacy.lib.forms import DayField, LineField
from callprivacy.tenancy.models import Client

AREA_CODES_AT_MOST: Final = 400
_AREA_CODE: Final = re.compile(r"[2-9][0-9]{2}", re.ASCII).fullmatch


class AsOfForm(forms.Form):
    """A file and the day of which it is."""

    as_of = DayField(label="As of")
    file = forms.FileField(
        label="File",
        error_messages={"empty": "The file is empty.", "required": "Add the file."},
        widget=forms.FileInput(attrs={"accept": ".txt,.csv,text/plain,text/csv"}),
    )

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.fields["as_of"].widget.attrs["max"] = today.isoformat()

    def clean_as_of(self) -> date:
        day: date = self.cleaned_data["as_of"]
        if day > self.today:
            raise forms.ValidationError(
                "This day has not come yet. Write the day on which the file was made."
            )
        return day


class RegisterForm(AsOfForm):
    """A do-not-call register."""

    name = LineField(
        max_length=120,
        initial="National Do Not Call Registry",
        help_text="The next file of the same name takes this one's place.",
    )
    area_codes = LineField(
        required=False,
        max_length=2000,
        label="Area codes",
        help_text="Those that the file is for, such as 212, 646. Empty: all of them.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    field_order = ("name", "client", "area_codes", "as_of", "file")

    def __init__(self, *args: Any, clients: Iterable[Client], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clients = {client.slug: client for client in clients}
        self.fields["client"] = forms.ChoiceField(
            required=False,
            label="For",
            choices=[("", "Every client"), *((slug, client.name) for slug, client in self._clients.items())],
            help_text="A subscription that belongs to one client counts for that client alone.",
        )
        self.fields[
            "as_of"
        ].help_text = (
            "The day on which it was downloaded. After 31 days it is too old for calls that advertise."
        )
        self.fields["file"].help_text = (
            "The full list as a flat text file, unpacked, up to 256 MB. It is sealed as it arrives and removed once it "
            "is read; what stays cannot be read back into numbers."
        )
        self.order_fields(self.field_order)

    def clean_client(self) -> Client | None:
        return self._clients.get(self.cleaned_data["client"])

    def clean_area_codes(self) -> list[str]:
        codes = re.split(r"[\s,;]+", self.cleaned_data["area_codes"].strip())
        codes = [code for code in codes if code]
        if any(_AREA_CODE(code) is None for code in codes):
            raise forms.ValidationError("An area code has three digits. Write them with commas: 212, 646.")
        if len(set(codes)) > AREA_CODES_AT_MOST:
            raise forms.ValidationError(
                "These are more area codes than there are. Leave it empty for all of them."
            )
        return sorted(set(codes))


class AnswersForm(AsOfForm):
    """Answers about reassigned numbers."""

    field_order = ("as_of", "file")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["as_of"].help_text = "The day on which the database answered."
        self.fields["file"].help_text = (
            "A CSV with a number and “yes”, “no” or “no data” on each line, and the day that was asked about; a column "
            "“disconnected on” is read where there is one. Up to 32 MB, sealed as it arrives, removed once it is read."
        )
