"""What a client counts as a conversion, and how many callers a figure needs."""

from django import forms

from analytics.enums import Conversion
from analytics.services.rules import LEAST, MOST
from callprivacy.lib import money
from callprivacy.lib.forms import LineField


class RuleForm(forms.Form):
    conversion = forms.ChoiceField(label="A conversion is a call that is", choices=Conversion.choices)
    seconds = forms.IntegerField(
        label="Seconds that an answered call lasts at least",
        min_value=0,
        max_value=86_400,
        help_text="Counts where a conversion is an answered call.",
    )
    tags = LineField(
        label="Tags",
        required=False,
        max_length=1000,
        help_text="The tracker's own words, with commas between them. One of them is enough.",
    )
    k = forms.IntegerField(
        label="Callers that a figure needs",
        min_value=LEAST,
        max_value=MOST,
        help_text="No report tells what fewer callers share. More callers hide more; 5 is usual, 11 for health.",
    )
    p = forms.IntegerField(
        label="Percent that protects a caller's part of a sum",
        min_value=1,
        max_value=100,
        help_text="A sum is shown only if every caller's part of it stays unknown by at least this much; 15 is usual.",
    )

    currency = forms.ChoiceField(
        required=False,
        choices=[("", "As in the client's country"), *((code, code) for code in money.CURRENCIES)],
        help_text="For call values and costs. Amounts are never converted; a change only relabels them.",
    )
    number_format = forms.ChoiceField(
        required=False,
        choices=[("", "As in the client's country"), *money.choices_of_formats()],
        help_text="How this client's reports, files and mails write numbers.",
    )

    def clean_tags(self) -> list[str]:
        tags = {tag.strip() for tag in self.cleaned_data["tags"].split(",")} - {""}
        if any(len(tag) > 60 for tag in tags):
            raise forms.ValidationError("A tag has at most 60 characters.")
        return sorted(tags)
