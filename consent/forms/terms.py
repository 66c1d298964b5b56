"""What people type about signed terms."""

from datetime import date
from typing import Any, Final

from django import forms

from callprivacy.lib.forms import DayField, LineField
from consent.enums import Purpose
from consent.services import terms

_PURPOSES: Final = [(purpose.value, purpose.label) for purpose in terms.ASKED]


class _Numbers(forms.Form):
    purposes = forms.MultipleChoiceField(
        label="Purposes that the clause covers",
        choices=_PURPOSES,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Select at least one purpose."},
    )
    numbers = forms.CharField(
        label="Phone numbers",
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"}),
        max_length=100_000,
        help_text="One number for one signer. For a list, one number per line, up to 2,000.",
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
            raise forms.ValidationError(f"Fix the phone number in line {lines}. Nothing was saved.")
        if not read.numbers:
            raise forms.ValidationError("Enter at least one phone number.")
        if len(read.numbers) > terms.PEOPLE_AT_MOST:
            raise forms.ValidationError(f"Enter at most {terms.PEOPLE_AT_MOST:,} numbers at a time.")
        return read.numbers


class MoreForm(_Numbers):
    """More people under one document."""


class TermsForm(_Numbers):
    """A signed document, and whom it covers."""

    name = LineField(max_length=120, help_text='A name that you recognize, such as "New patient form 2026".')
    signed_on = DayField(
        label="Signed on",
        help_text="The document covers calls after this date. For a list, enter the latest signature date.",
    )
    is_list = forms.TypedChoiceField(
        label="Signers",
        choices=[
            ("no", "One person: the document has that person's signature"),
            ("yes", "Several people: the document attests that all of them signed"),
        ],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
        initial="no",
    )
    clause = forms.CharField(
        label="Exact text of the clause", max_length=5000, widget=forms.Textarea(attrs={"rows": 5})
    )
    stands_apart = forms.BooleanField(
        label="The clause is separate from the other terms, with its own checkbox or signature",
        required=False,
        help_text="In the EU and the UK, a clause among general terms is not consent.",
    )
    file = forms.FileField(
        label="Document",
        help_text="A PDF or picture, up to 10 MB. It is encrypted on upload.",
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
            raise forms.ValidationError("The date is in the future. Enter today or an earlier date.")
        return day

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not cleaned.get("is_list", True) and len(cleaned.get("numbers", ("",))) > 1:
            self.add_error("numbers", "Enter one number for one signer, or choose several people.")
        return cleaned
