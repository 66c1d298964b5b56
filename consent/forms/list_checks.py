"""Forms of list checks."""

from typing import Any, cast

from django import forms

from callprivacy.lib.forms import LineField
from consent.services.contact import Aim
from consent.services.list_checks import ROWS_AT_MOST, Head


class ListForm(forms.Form):
    name = LineField(max_length=120, help_text='A name that you recognize, such as "Spring campaign".')
    purpose = forms.ChoiceField(
        label="Purpose",
        choices=[
            (Aim.MARKETING.value, "Marketing: calls or texts that sell or advertise"),
            (Aim.SERVICE.value, "Service: what the person asked for, such as a callback or an appointment"),
        ],
        widget=forms.RadioSelect,
        initial=Aim.MARKETING.value,
        error_messages={"required": "Choose a purpose for the list."},
    )
    file = forms.FileField(
        label="List",
        help_text=f"CSV with commas, semicolons or tabs, plain or gzip, up to {ROWS_AT_MOST:,} rows and 32 MB. It is "
        "encrypted on upload and deleted after the check.",
        error_messages={"empty": "The file is empty.", "required": "Add the list, of at most 32 MB."},
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.gz,text/csv,application/gzip"}),
    )


class ColumnsForm(forms.Form):
    column = forms.TypedChoiceField(label="Column with the numbers", coerce=int)
    region_column = forms.TypedChoiceField(
        label="Column with the state or province",
        coerce=int,
        required=False,
        empty_value=None,
        help_text="From the person's address, as letters such as CA. Without it, the place is inferred from the number "
        "and never loosens a rule.",
    )

    def __init__(self, *args: Any, head: Head, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = [(str(one.place), one.name or f"Column {one.place + 1}") for one in head.columns]
        column = cast(forms.TypedChoiceField, self.fields["column"])
        region = cast(forms.TypedChoiceField, self.fields["region_column"])
        column.choices, region.choices = named, [("", "None"), *named]
        self.initial.setdefault("column", str(head.likely))
