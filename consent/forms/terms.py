"""What people type about signed terms."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from django import forms

from callprivacy.lib.forms import DayField, LineField
from consent.enums import Purpose
from consent.services import terms

_PURPOSES: Final = [(purpose.value, purpose.label) for purpose in terms.ASKED]


class _Numbers(forms.Form):
    purposes = forms.MultipleChoiceField(
        label="What the clause allows",
        choices=_PURPOSES,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Tick at least one: a clause that allows nothing covers nobody."},
    )
    numbers = forms.CharField(
        label="Telephone numbers",
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"}),
        max_length=100_000,
        help_text="Who signed: one number. For a list: one number a line, up to 2,000.",
    )

    def __init__(self, *args: Any, country: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._country = country

    def clean_purposes(self) -> list[Purpose]:
        return [Purpose(purpose) for purpose in self.cleaned_data["purposes"]]

    def clean_numbers(self) -> tuple[str, ...]:
        read = terms.read_numbers(self.cleaned_data["numbers"].splitlines(), country=self._country)
        if read.refused:
            lines = ", ".join(str(refusal.line) for refusal in read.refused[:10])
            raise forms.ValidationError(f"No telephone number in line {lines}. Nothing was written down.")
        if not read.numbers:
            raise forms.ValidationError("Give at least one telephone number.")
        if len(read.numbers) > terms.PEOPLE_AT_MOST:
            raise forms.ValidationError(f"At most {terms.PEOPLE_AT_MOST:,} numbers at a time.")
        return read.numbers


class MoreForm(_Numbers):
    """More people under one document."""


class TermsForm(_Numbers):
    """A signed document, and whom it covers."""

    name = LineField(max_length=120, help_text='A name that you recognize, such as "New patient form 2026".')
    signed_on = DayField(
        label="Signed on",
        help_text="It speaks for calls after that day. For a list, the latest of its signatures.",
    )
    is_list = forms.TypedChoiceField(
        label="Who signed",
        choices=[
            ("no", "One person: the document bears that person's signature"),
            ("yes", "Several people: the document attests that all of them signed"),
        ],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
        initial="no",
    )
    clause = forms.CharField(
        label="The clause, word for word", max_length=5000, widget=forms.Textarea(attrs={"rows": 5})
    )
    stands_apart = forms.BooleanField(
        label="The clause stands apart from the other terms, with a box or a signature of its own",
        required=False,
        help_text="In the EU and the UK, a clause among general terms is no consent.",
    )
    file = forms.FileField(
        label="The document",
        help_text="A PDF or a picture of it, up to 10 MB. It is sealed as it arrives.",
        error_messages={"empty": "The file is empty.", "required": "Add the signed document."},
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp,application/pdf"}),
    )
    field_order = ("name", "signed_on", "is_list", "clause", "stands_apart", "purposes", "numbers", "file")

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._today = today

    def clean_signed_on(self) -> date:
        day: date = self.cleaned_data["signed_on"]
        if day > self._today:
            raise forms.ValidationError("That day has not come yet.")
        return day

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not cleaned.get("is_list", True) and len(cleaned.get("numbers", ("",))) > 1:
            self.add_error("numbers", "One person signed, so give one number; or choose the list.")
        return cleaned
