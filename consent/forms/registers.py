"""What people say about registers of numbers that they bring."""

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
            raise forms.ValidationError("The date is in the future. Enter the date of the file.")
        return day


class RegisterForm(AsOfForm):
    name = LineField(
        max_length=120,
        initial="National Do Not Call Registry",
        help_text="The next file with this name replaces this one.",
    )
    area_codes = LineField(
        required=False,
        max_length=2000,
        label="Area codes",
        help_text="Area codes in the file, such as 212, 646. Leave empty for all.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    field_order = ("name", "client", "area_codes", "as_of", "file")

    def __init__(self, *args: Any, clients: Iterable[Client], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clients = {client.slug: client for client in clients}
        self.fields["client"] = forms.ChoiceField(
            required=False,
            label="For",
            choices=[("", "All clients"), *((slug, client.name) for slug, client in self._clients.items())],
            help_text="A client's own subscription applies to that client only.",
        )
        self.fields[
            "as_of"
        ].help_text = "Download date. After 31 days, the list is outdated for marketing calls."
        self.fields["file"].help_text = (
            "The full list as an uncompressed text file, up to 256 MB. It is encrypted on upload and deleted after it "
            "is read. The stored form cannot be turned back into numbers."
        )
        self.order_fields(self.field_order)

    def clean_client(self) -> Client | None:
        return self._clients.get(self.cleaned_data["client"])

    def clean_area_codes(self) -> list[str]:
        codes = re.split(r"[\s,;]+", self.cleaned_data["area_codes"].strip())
        codes = [code for code in codes if code]
        if any(_AREA_CODE(code) is None for code in codes):
            raise forms.ValidationError("Enter three-digit area codes, separated by commas: 212, 646.")
        if len(set(codes)) > AREA_CODES_AT_MOST:
            raise forms.ValidationError("Enter at most 400 area codes, or leave empty for all.")
        return sorted(set(codes))


class AnswersForm(AsOfForm):
    """Answers about reassigned numbers."""

    field_order = ("as_of", "file")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["as_of"].help_text = "Date of the database's answer."
        self.fields["file"].help_text = (
            "CSV with a number, “yes”, “no” or “no data”, and the date asked about on each line. A “disconnected on” "
            "column is optional. Up to 32 MB, encrypted on upload, deleted after it is read."
        )
