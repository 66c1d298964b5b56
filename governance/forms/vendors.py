"""Forms for vendors."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from django import forms

from callprivacy.calls.providers import TRACKERS
from callprivacy.lib.forms import DayField, LineField, URLLineField
from governance.enums import Answer, DataCategory, ReviewDecision, SubProcessorState, TransferTool, VendorRole
from governance.forms.breaches import without_number
from governance.law import vendors as law
from governance.models import Vendor
from governance.services.vendors import REVIEW_EVERY, Facts

_CLAUSES: Final = [(letter, f"({letter}) {words}") for letter, words in law.CLAUSES.items()]


class SheetForm(forms.Form):
    sheet = forms.ChoiceField(label="Template", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "No template"), *((sheet.id, sheet.name) for sheet in law.sheets().values())]
        self.fields["sheet"] = forms.ChoiceField(label="Template", required=False, choices=choices)


class VendorForm(forms.Form):
    name = LineField(label="Name", max_length=120)
    role = forms.ChoiceField(label="Role", choices=VendorRole.choices)
    what_for = LineField(label="Purpose", max_length=300)
    provider = forms.ChoiceField(
        label="Call-tracking provider",
        choices=[("", "None"), *sorted(TRACKERS.items())],
        required=False,
        help_text="If connections require vendor reviews, this vendor’s review applies to this provider.",
    )
    categories = forms.MultipleChoiceField(
        label="Data categories", choices=DataCategory.choices, widget=forms.CheckboxSelectMultiple
    )
    places = LineField(label="Data location", max_length=200, required=False)
    transfer = forms.ChoiceField(label="Transfer mechanism", choices=TransferTool.choices)
    contract_on = DayField(label="Data processing agreement signed on", required=False)
    clauses = forms.MultipleChoiceField(
        label="Clauses of GDPR article 28(3) in the agreement",
        choices=_CLAUSES,
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    source = URLLineField(label="Terms URL", max_length=300, required=False, assume_scheme="https")
    is_verified = forms.BooleanField(
        label="I have verified these details today",
        required=False,
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("clauses") and not data.get("contract_on"):
            self.add_error("contract_on", "Enter the date of the agreement that has these clauses.")
        return data

    def facts(self) -> Facts:
        data = self.cleaned_data
        return Facts(
            name=data["name"],
            role=VendorRole(data["role"]),
            what_for=data["what_for"],
            categories=tuple(data["categories"]),
            places=data["places"],
            transfer=TransferTool(data["transfer"]),
            contract_on=data["contract_on"],
            clauses=tuple(data["clauses"]),
            source=data["source"],
            provider=data["provider"],
        )

    @staticmethod
    def initial_of(vendor: Vendor | Facts) -> dict[str, Any]:
        names = (
            "name", "role", "what_for", "provider", "categories", "places", "transfer", "contract_on", "clauses",
            "source",
        )  # fmt: skip
        return {name: getattr(vendor, name) for name in names}


class ReviewForm(forms.Form):
    """The answers of one review: two fields for each question, `answer_ID` and `note_ID`."""

    decision = forms.ChoiceField(label="Decision", choices=ReviewDecision.choices, widget=forms.RadioSelect)
    words = forms.CharField(
        label="Reasons and conditions", max_length=1000, widget=forms.Textarea({"rows": 4})
    )
    next_on = DayField(label="Next review")

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.fields["next_on"].initial = today + REVIEW_EVERY
        for question in law.questions():
            self.fields[f"answer_{question.id}"] = forms.ChoiceField(
                label=question.words, choices=Answer.choices, widget=forms.RadioSelect
            )
            self.fields[f"note_{question.id}"] = LineField(label="Evidence", max_length=200, required=False)

    def clean_next_on(self) -> date:
        day: date = self.cleaned_data["next_on"]
        if not self.today < day <= self.today + 2 * REVIEW_EVERY:
            raise forms.ValidationError("Enter a date within the next two years.")
        return day

    def asked(self) -> Iterator[tuple[law.Question, Any, Any]]:
        """Each question with its two bound fields."""
        for question in law.questions():
            yield question, self[f"answer_{question.id}"], self[f"note_{question.id}"]

    def answers(self) -> dict[str, Answer]:
        return {one.id: Answer(self.cleaned_data[f"answer_{one.id}"]) for one in law.questions()}

    def notes(self) -> dict[str, str]:
        """Question id -> where the evidence is."""
        return {one.id: self.cleaned_data[f"note_{one.id}"] for one in law.questions()}


class CertificateForm(forms.Form):
    name = LineField(label="Certificate", max_length=120, help_text="ISO 27001, SOC 2 Type II, ...")
    valid_until = DayField(label="Valid until")
    source = URLLineField(label="URL", max_length=300, required=False, assume_scheme="https")


class SubProcessorForm(forms.Form):
    name = LineField(label="Name", max_length=120)
    what_for = LineField(label="Purpose", max_length=300)
    places = LineField(label="Location", max_length=200, required=False)
    noticed_on = DayField(label="Announced on")
    object_until = DayField(
        label="Object until", required=False, help_text="If the contract sets a deadline."
    )


class SettleForm(forms.Form):
    state = forms.ChoiceField(
        choices=[one for one in SubProcessorState.choices if one[0] != SubProcessorState.NOTICED]
    )


class IncidentForm(forms.Form):
    happened_on = DayField(label="Happened on")
    learned_on = DayField(label="Reported to you on")
    words = forms.CharField(
        label="What happened",
        max_length=1000,
        widget=forms.Textarea({"rows": 3}),
        help_text="No names or phone numbers. If your data may be affected, also report a breach.",
    )

    def clean_words(self) -> str:
        return without_number(self.cleaned_data["words"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        happened, learned = data.get("happened_on"), data.get("learned_on")
        if happened and learned and learned < happened:
            self.add_error("learned_on", "The date must not be before the incident.")
        return data


class EndForm(forms.Form):
    on = DayField(label="Ended on")
    reason = forms.CharField(
        label="Reason, and what happens to the data at the vendor",
        min_length=15,
        max_length=1000,
        widget=forms.Textarea({"rows": 3}),
    )


class UseAgainForm(forms.Form):
    reason = forms.CharField(
        label="Reason, and since when", min_length=15, max_length=1000, widget=forms.Textarea({"rows": 3})
    )


class EndCertificateForm(forms.Form):
    reason = LineField(
        label="Reason",
        min_length=5,
        max_length=300,
    )
